# Accepts: what cached-ocsp.rego accepts, when exactly as many different GPUs and NVSwitches answered as data says:
#   {"machine": {"gpus": 8, "switches": 4}}
# For verifying without a network: answers about revocation come from a bundle, a folder or a cache, and carry no nonce of ours.
# Weakens: a revocation made since such an answer was signed is not seen until the answer ends (its nextUpdate).
# Whether the devices belong to one machine, the verifier asks itself where switches and GPUs name each other. Without data it refuses.
package policy

import rego.v1

default nv_match := false

nv_match if {
	count(input) > 0
	count(different("gpu")) == data.machine.gpus
	count(different("nvswitch")) == data.machine.switches
	count(input) == data.machine.gpus + data.machine.switches
	every device in input {
		sound(device)
	}
}

# By their identifiers: one device that answers twice is one.
different(kind) := {device.ueid |
	some device in input
	device["x-nvidia-device-type"] == kind
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

# A chain that is valid, and of which a responder said so at some time that is still current: the verifier checks that before it asks.
good(chain) if {
	chain["x-nvidia-cert-status"] == "valid"
	chain["x-nvidia-cert-ocsp-status"] == "good"
	chain["x-nvidia-cert-ocsp-response-valid"] == true
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
