# Accepts: what strict.rego accepts, and RIMs whose signer is on hold (certificateHold), as NVIDIA keeps the signers of drivers before their
# release.
# Weakens: a hold may also mean that NVIDIA no longer stands by these measurements. Device chains are never excused.
package policy

import rego.v1

default nv_match := false

nv_match if {
	count(input) > 0
	every device in input {
		sound(device)
	}
}

# What one device must show. A claim that is missing is no claim that holds.
sound(device) if {
	device.measres == "success"
	device.secboot == true
	device.dbgstat == "disabled"
	needed := claims[device["x-nvidia-device-type"]]
	every claim in needed.holds {
		device[claim] == true
	}
	good(device[needed.chain])
	every chain in needed.signers {
		signed(device[chain])
	}
}

# A chain that is valid, and of which a responder said so in answer to our nonce.
good(chain) if {
	chain["x-nvidia-cert-status"] == "valid"
	chain["x-nvidia-cert-ocsp-status"] == "good"
	chain["x-nvidia-cert-ocsp-response-valid"] == true
	chain["x-nvidia-cert-ocsp-nonce-matches"] == true
}

# The signer of a RIM.
signed(chain) if good(chain)

signed(chain) if {
	chain["x-nvidia-cert-status"] == "valid"
	chain["x-nvidia-cert-ocsp-status"] == "revoked"
	chain["x-nvidia-cert-revocation-reason"] == "certificateHold"
	chain["x-nvidia-cert-ocsp-response-valid"] == true
	chain["x-nvidia-cert-ocsp-nonce-matches"] == true
}

claims := {
	"gpu": {
		"holds": [
			"x-nvidia-gpu-attestation-report-nonce-match",
			"x-nvidia-gpu-attestation-report-signature-verified",
			"x-nvidia-gpu-attestation-report-cert-chain-fwid-match",
			"x-nvidia-gpu-driver-rim-signature-verified",
			"x-nvidia-gpu-driver-rim-version-match",
			"x-nvidia-gpu-vbios-rim-signature-verified",
			"x-nvidia-gpu-vbios-rim-version-match",
			"x-nvidia-gpu-vbios-index-no-conflict",
		],
		"chain": "x-nvidia-gpu-attestation-report-cert-chain",
		"signers": ["x-nvidia-gpu-driver-rim-cert-chain", "x-nvidia-gpu-vbios-rim-cert-chain"],
	},
	"nvswitch": {
		"holds": [
			"x-nvidia-switch-attestation-report-nonce-match",
			"x-nvidia-switch-attestation-report-signature-verified",
			"x-nvidia-switch-attestation-report-cert-chain-fwid-match",
			"x-nvidia-switch-bios-rim-signature-verified",
			"x-nvidia-switch-bios-rim-version-match",
		],
		"chain": "x-nvidia-switch-attestation-report-cert-chain",
		"signers": ["x-nvidia-switch-bios-rim-cert-chain"],
	},
}
