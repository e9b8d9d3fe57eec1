# Accepts: what cached-ocsp.rego accepts, from the driver and VBIOS versions named in data upwards:
#   {"minimum": {"driver": "550.144.03", "vbios": {"96": "96.00.74.00.1C"}, "switch_bios": {"96": "96.10.55.00.01"}}}
# For verifying without a network: answers about revocation come from a bundle, a folder or a cache, and carry no nonce of ours.
# Drivers are compared number by number, so that 550.90 is older than 550.144. VBIOS versions are hexadecimal, and each line of them (its
# first number: 96 is Hopper, 97 Blackwell) has a minimum of its own.
# Weakens: a revocation made since such an answer was signed is not seen until the answer ends (its nextUpdate).
# Without data, with a version of another form, or of a line that is not named, it refuses.
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
	driver(device["x-nvidia-gpu-driver-version"]) >= driver(data.minimum.driver)
	recent(device["x-nvidia-gpu-vbios-version"], data.minimum.vbios)
}

accepted(device) if {
	device["x-nvidia-device-type"] == "nvswitch"
	recent(device["x-nvidia-switch-bios-version"], data.minimum.switch_bios)
}

# The numbers of a driver's version. A part that is no number would fall out of the comparison, so the whole form comes first.
driver(version) := [to_number(number) |
	some part in split(version, ".")
	number := regex.replace(part, `^0+([0-9])`, "$1")
] if {
	regex.match(`^[0-9]{1,6}([.][0-9]{1,6}){1,3}$`, version)
}

# Five numbers of two digits compare like their text.
recent(version, minima) if {
	found := vbios(version)
	minimum := vbios(minima[substring(found, 0, 2)])
	substring(minimum, 0, 2) == substring(found, 0, 2)
	found >= minimum
}

vbios(version) := upper(version) if regex.match(`^[0-9A-Fa-f]{2}([.][0-9A-Fa-f]{2}){4}$`, version)

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
