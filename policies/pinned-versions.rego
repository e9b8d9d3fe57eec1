# Accepts: what strict.rego accepts, on the driver and VBIOS versions named in data, and on no others:
#   {"pinned": {"driver": ["580.95.05"], "vbios": ["96.00.A5.00.01"], "switch_bios": ["96.10.55.00.01"]}}
# Weakens: nothing. Without data, or without the list for a kind of device that is there, it refuses.
package policy

import rego.v1

default nv_match := false

nv_match if {
	count(input) > 0
	every device in input {
		sound(device)
		accepted(device)
	}
}

accepted(device) if {
	device["x-nvidia-device-type"] == "gpu"
	device["x-nvidia-gpu-driver-version"] in data.pinned.driver
	device["x-nvidia-gpu-vbios-version"] in data.pinned.vbios
}

accepted(device) if {
	device["x-nvidia-device-type"] == "nvswitch"
	device["x-nvidia-switch-bios-version"] in data.pinned.switch_bios
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
	every chain in array.concat([needed.chain], needed.signers) {
		good(device[chain])
	}
}

# A chain that is valid, and of which a responder said so in answer to our nonce.
good(chain) if {
	chain["x-nvidia-cert-status"] == "valid"
	chain["x-nvidia-cert-ocsp-status"] == "good"
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
