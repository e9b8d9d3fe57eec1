package policy

import rego.v1

test_a_sound_gpu_is_accepted if nv_match with input as [gpu] with data.minimum as minimum

test_a_sound_switch_is_accepted if nv_match with input as [nvswitch] with data.minimum as minimum

test_both_kinds_are_accepted if nv_match with input as [gpu, nvswitch] with data.minimum as minimum

test_nothing_is_refused if {
	not nv_match with input as [] with data.minimum as minimum
	not nv_match with input as {} with data.minimum as minimum
}

test_one_bad_device_among_good_ones_is_refused if not nv_match with input as [gpu, nvswitch_with({"measres": "fail"})] with data.minimum as minimum

test_every_claim_counts if {
	every name in {name | some name, value in gpu; value == true} {
		not nv_match with input as [gpu_with({name: false}), nvswitch] with data.minimum as minimum
		not nv_match with input as [object.remove(gpu, [name]), nvswitch] with data.minimum as minimum
	}
	every name in {name | some name, value in nvswitch; value == true} {
		not nv_match with input as [gpu, nvswitch_with({name: false})] with data.minimum as minimum
		not nv_match with input as [gpu, object.remove(nvswitch, [name])] with data.minimum as minimum
	}
}

test_every_chain_counts if {
	every name in {name | some name, value in gpu; value == fresh} {
		every wrong in [{"x-nvidia-cert-status": "expired"}, {"x-nvidia-cert-ocsp-status": "unknown"}, {"x-nvidia-cert-ocsp-status": "undefined"}, {"x-nvidia-cert-ocsp-response-valid": false}] {
			not nv_match with input as [gpu_with({name: object.union(fresh, wrong)}), nvswitch] with data.minimum as minimum
		}
	}
	every name in {name | some name, value in nvswitch; value == fresh} {
		not nv_match with input as [gpu, nvswitch_with({name: object.union(fresh, {"x-nvidia-cert-ocsp-status": "revoked", "x-nvidia-cert-revocation-reason": "keyCompromise"})})] with data.minimum as minimum
		not nv_match with input as [gpu, object.remove(nvswitch, [name])] with data.minimum as minimum
	}
}

test_debugging_is_refused if not nv_match with input as [gpu_with({"dbgstat": "enabled"}), nvswitch] with data.minimum as minimum

test_a_device_of_another_kind_is_refused if not nv_match with input as [gpu_with({"x-nvidia-device-type": "dpu"}), nvswitch] with data.minimum as minimum

test_answers_from_a_folder_or_cache_are_accepted if nv_match with input as [gpu_with({"x-nvidia-gpu-vbios-rim-cert-chain": cached}), nvswitch] with data.minimum as minimum

test_a_signer_on_hold_is_refused if not nv_match with input as [gpu_with({"x-nvidia-gpu-driver-rim-cert-chain": held}), nvswitch] with data.minimum as minimum

minimum := {"driver": "550.144.03", "vbios": {"96": "96.00.A5.00.01"}, "switch_bios": {"96": "96.10.55.00.01"}}

test_a_later_driver_is_accepted if {
	every version in ["550.144.03", "550.144.04", "550.144.10", "550.144.3", "550.145", "551.0", "580.95.05", "1000.1"] {
		nv_match with input as [gpu_with({"x-nvidia-gpu-driver-version": version})] with data.minimum as minimum
	}
}

test_an_earlier_driver_is_refused if {
	every version in ["550.144.02", "550.144", "550.90.07", "545.00", "99.999.99"] {
		not nv_match with input as [gpu_with({"x-nvidia-gpu-driver-version": version})] with data.minimum as minimum
	}
}

test_a_driver_without_a_version_in_numbers_is_refused if {
	every version in ["", "580", "580.x.05", "580.95.05-beta", "580..05", "580.95.05 ", " 580.95.05", "580,95", "x.580.95", null, 580.95, ["580", "95"]] {
		not nv_match with input as [gpu_with({"x-nvidia-gpu-driver-version": version})] with data.minimum as minimum
	}
}

test_a_later_vbios_of_the_line_is_accepted if {
	every version in ["96.00.A5.00.01", "96.00.a5.00.02", "96.00.AF.00.01", "96.00.D9.00.0F", "96.01.00.00.00"] {
		nv_match with input as [gpu_with({"x-nvidia-gpu-vbios-version": version})] with data.minimum as minimum
	}
}

test_an_earlier_vbios_or_one_of_another_line_is_refused if {
	every version in ["96.00.A5.00.00", "96.00.9F.00.01", "96.00.5E.00.01", "97.00.88.00.0F", "96.00.B5", "96.00.A5.00.1", "", null] {
		not nv_match with input as [gpu_with({"x-nvidia-gpu-vbios-version": version})] with data.minimum as minimum
	}
}

test_an_earlier_switch_bios_is_refused if {
	not nv_match with input as [nvswitch_with({"x-nvidia-switch-bios-version": "96.10.54.00.01"})] with data.minimum as minimum
}

test_without_a_readable_minimum_nothing_is_accepted if {
	not nv_match with input as [gpu]
	not nv_match with input as [gpu] with data.minimum as {"driver": "550.144.03"}
	not nv_match with input as [gpu] with data.minimum as {"driver": "latest", "vbios": {"96": "96.00.A5.00.01"}}
	not nv_match with input as [gpu] with data.minimum as {"driver": "550.144.03", "vbios": {"96": "95.00.00.00.00"}}
}

gpu := {
	"x-nvidia-device-type": "gpu", "ueid": "gpu-1", "measres": "success", "secboot": true, "dbgstat": "disabled",
	"x-nvidia-gpu-driver-version": "580.95.05", "x-nvidia-gpu-vbios-version": "96.00.A5.00.01",
	"x-nvidia-gpu-attestation-report-nonce-match": true,
	"x-nvidia-gpu-attestation-report-signature-verified": true,
	"x-nvidia-gpu-attestation-report-cert-chain-fwid-match": true,
	"x-nvidia-gpu-driver-rim-signature-verified": true,
	"x-nvidia-gpu-driver-rim-version-match": true,
	"x-nvidia-gpu-vbios-rim-signature-verified": true,
	"x-nvidia-gpu-vbios-rim-version-match": true,
	"x-nvidia-gpu-vbios-index-no-conflict": true,
	"x-nvidia-gpu-attestation-report-cert-chain": fresh,
	"x-nvidia-gpu-driver-rim-cert-chain": fresh,
	"x-nvidia-gpu-vbios-rim-cert-chain": fresh,
}

nvswitch := {
	"x-nvidia-device-type": "nvswitch", "ueid": "switch-1", "measres": "success", "secboot": true, "dbgstat": "disabled",
	"x-nvidia-switch-bios-version": "96.10.55.00.01",
	"x-nvidia-switch-attestation-report-nonce-match": true,
	"x-nvidia-switch-attestation-report-signature-verified": true,
	"x-nvidia-switch-attestation-report-cert-chain-fwid-match": true,
	"x-nvidia-switch-bios-rim-signature-verified": true,
	"x-nvidia-switch-bios-rim-version-match": true,
	"x-nvidia-switch-attestation-report-cert-chain": fresh,
	"x-nvidia-switch-bios-rim-cert-chain": fresh,
}

fresh := {
	"x-nvidia-cert-status": "valid", "x-nvidia-cert-ocsp-status": "good", "x-nvidia-cert-revocation-reason": null,
	"x-nvidia-cert-ocsp-response-valid": true, "x-nvidia-cert-ocsp-nonce-matches": true,
}

cached := object.union(fresh, {"x-nvidia-cert-ocsp-nonce-matches": false})

held := object.union(fresh, {"x-nvidia-cert-ocsp-status": "revoked", "x-nvidia-cert-revocation-reason": "certificateHold"})

gpu_with(changes) := object.union(gpu, changes)

nvswitch_with(changes) := object.union(nvswitch, changes)
