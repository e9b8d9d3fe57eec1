package policy

import rego.v1

test_both_kinds_are_accepted if nv_match with input as [gpu, nvswitch] with data.machine as {"gpus": 1, "switches": 1}

test_nothing_is_refused if {
	not nv_match with input as [] with data.machine as {"gpus": 1, "switches": 1}
	not nv_match with input as {} with data.machine as {"gpus": 1, "switches": 1}
}

test_one_bad_device_among_good_ones_is_refused if not nv_match with input as [gpu, nvswitch_with({"measres": "fail"})] with data.machine as {"gpus": 1, "switches": 1}

test_every_claim_counts if {
	every name in {name | some name, value in gpu; value == true} {
		not nv_match with input as [gpu_with({name: false}), nvswitch] with data.machine as {"gpus": 1, "switches": 1}
		not nv_match with input as [object.remove(gpu, [name]), nvswitch] with data.machine as {"gpus": 1, "switches": 1}
	}
	every name in {name | some name, value in nvswitch; value == true} {
		not nv_match with input as [gpu, nvswitch_with({name: false})] with data.machine as {"gpus": 1, "switches": 1}
		not nv_match with input as [gpu, object.remove(nvswitch, [name])] with data.machine as {"gpus": 1, "switches": 1}
	}
}

test_every_chain_counts if {
	every name in {name | some name, value in gpu; value == fresh} {
		every wrong in [{"x-nvidia-cert-status": "expired"}, {"x-nvidia-cert-ocsp-status": "unknown"}, {"x-nvidia-cert-ocsp-status": "undefined"}, {"x-nvidia-cert-ocsp-response-valid": false}] {
			not nv_match with input as [gpu_with({name: object.union(fresh, wrong)}), nvswitch] with data.machine as {"gpus": 1, "switches": 1}
		}
	}
	every name in {name | some name, value in nvswitch; value == fresh} {
		not nv_match with input as [gpu, nvswitch_with({name: object.union(fresh, {"x-nvidia-cert-ocsp-status": "revoked", "x-nvidia-cert-revocation-reason": "keyCompromise"})})] with data.machine as {"gpus": 1, "switches": 1}
		not nv_match with input as [gpu, object.remove(nvswitch, [name])] with data.machine as {"gpus": 1, "switches": 1}
	}
}

test_debugging_is_refused if not nv_match with input as [gpu_with({"dbgstat": "enabled"}), nvswitch] with data.machine as {"gpus": 1, "switches": 1}

test_a_device_of_another_kind_is_refused if not nv_match with input as [gpu_with({"x-nvidia-device-type": "dpu"}), nvswitch] with data.machine as {"gpus": 1, "switches": 1}

test_answers_from_a_folder_or_cache_are_accepted if nv_match with input as [gpu_with({"x-nvidia-gpu-vbios-rim-cert-chain": cached}), nvswitch] with data.machine as {"gpus": 1, "switches": 1}

test_a_signer_on_hold_is_refused if not nv_match with input as [gpu_with({"x-nvidia-gpu-driver-rim-cert-chain": held}), nvswitch] with data.machine as {"gpus": 1, "switches": 1}

test_the_counts_must_be_right if {
	second := gpu_with({"ueid": "gpu-2"})
	nv_match with input as [gpu, second, nvswitch] with data.machine as {"gpus": 2, "switches": 1}
	nv_match with input as [gpu] with data.machine as {"gpus": 1, "switches": 0}
	not nv_match with input as [gpu, nvswitch] with data.machine as {"gpus": 2, "switches": 1}
	not nv_match with input as [gpu, second, nvswitch] with data.machine as {"gpus": 1, "switches": 1}
	not nv_match with input as [gpu, second] with data.machine as {"gpus": 2, "switches": 1}
	not nv_match with input as [gpu, nvswitch] with data.machine as {"gpus": 1, "switches": 0}
}

test_one_device_twice_is_one if {
	not nv_match with input as [gpu, gpu] with data.machine as {"gpus": 2, "switches": 0}
	not nv_match with input as [gpu, gpu] with data.machine as {"gpus": 1, "switches": 0}
}

test_without_data_nothing_is_accepted if {
	not nv_match with input as [gpu, nvswitch]
	not nv_match with input as [gpu] with data.machine as {"gpus": 1}
	not nv_match with input as [] with data.machine as {"gpus": 0, "switches": 0}
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
