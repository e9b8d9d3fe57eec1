package policy

import rego.v1

test_affirming_devices_are_accepted if {
	allow with input as ear({"gpu0": affirmed})
	allow with input as ear({"gpu0": affirmed, "switch0": affirmed})
}

test_nothing_is_refused if {
	not allow with input as {}
	not allow with input as []
	not allow with input as ear({})
	not allow with input as {"eat_profile": profile}
}

test_any_other_status_is_refused if {
	every status in ["warning", "none", "contraindicated", "Affirming", null, true] {
		not allow with input as ear({"gpu0": affirmed, "gpu1": object.union(affirmed, {"ear.status": status})})
	}
}

test_the_vector_counts_as_well if {
	not allow with input as ear({"gpu0": with_vector({"hardware": 97, "executables": 3})})
	not allow with input as ear({"gpu0": with_vector({"hardware": 2, "executables": 0})})
	not allow with input as ear({"gpu0": with_vector({})})
}

test_another_profile_is_refused if {
	not allow with input as {"eat_profile": "tag:example.com,2024:other", "submods": {"gpu0": affirmed}}
}

profile := "tag:github.com,2024:confidential-containers/Trustee"

ear(devices) := {"eat_profile": profile, "submods": devices}

affirmed := {"ear.status": "affirming", "ear.trustworthiness-vector": {"hardware": 2, "executables": 3}}

with_vector(vector) := {"ear.status": "affirming", "ear.trustworthiness-vector": vector}
