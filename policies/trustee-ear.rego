# For Trustee's form: data.policy.allow over an EAR (the token, or what assay verify makes of a verdict).
# Accepts: an EAR of Assay's in which every device is affirming, with genuine hardware and approved firmware.
# Weakens: nothing. Whatever the verifier waived (revocation, the nonce, its clock) makes a device "warning" at best, and is refused here.
package policy

import rego.v1

default allow := false

allow if {
	input.eat_profile == "tag:github.com,2024:confidential-containers/Trustee"
	count(input.submods) > 0
	every device in input.submods {
		affirming(device)
	}
}

# AR4SI: of hardware 2 is genuine, of executables 3 is approved at boot.
affirming(device) if {
	device["ear.status"] == "affirming"
	device["ear.trustworthiness-vector"].hardware == 2
	device["ear.trustworthiness-vector"].executables == 3
}
