namespace Assay.Checks;

/// <summary>
/// The permanent ids of checks: they are in results, logs, tokens and policies, and docs/reference/checks.md says what each asks. Add freely, never
/// rename or reuse. Those of a RIM or of one of Intel's statements are made of the item's prefix and a suffix, where these are judged.
/// </summary>
internal static class CheckIds
{
    // Reports of devices.
    internal const string ReportFieldsWellformed = "report.fields.wellformed";
    internal const string ReportFwidMatch = "report.fwid.match";
    internal const string ReportNonceDeclared = "report.nonce.declared";
    internal const string ReportNonceMatch = "report.nonce.match";
    internal const string ReportNvdec0Reported = "report.nvdec0.reported";
    internal const string ReportSignatureValid = "report.signature.valid";
    internal const string ReportVersionSupported = "report.version.supported";
    internal const string ReportWellformed = "report.wellformed";

    // Devices and their certificates.
    internal const string DeviceChainCurrent = "device.chain.current";
    internal const string DeviceChainNotRevoked = "device.chain.not-revoked";
    internal const string DeviceChainStatusCurrent = "device.chain.status-current";
    internal const string DeviceChainTrusted = "device.chain.trusted";
    internal const string DeviceChainWellformed = "device.chain.wellformed";
    internal const string DeviceIdentityKnown = "device.identity.known";
    internal const string DeviceModeConsistent = "device.mode.consistent";
    internal const string DeviceSerialConsistent = "device.serial.consistent";
    internal const string DeviceTypeDeclared = "device.type.declared";
    internal const string DeviceVbiosKnown = "device.vbios.known";

    // Switches.
    internal const string SwitchPdiMatch = "switch.pdi.match";

    // Reference integrity manifests.
    internal const string RimDriverAvailable = "rim.driver.available";
    internal const string RimDriverChainCurrent = "rim.driver.chain.current";
    internal const string RimDriverChainNotHeld = "rim.driver.chain.not-held";
    internal const string RimDriverChainNotRevoked = "rim.driver.chain.not-revoked";
    internal const string RimDriverChainTrusted = "rim.driver.chain.trusted";
    internal const string RimDriverSignatureValid = "rim.driver.signature.valid";
    internal const string RimDriverVersionMatch = "rim.driver.version.match";
    internal const string RimDriverWellformed = "rim.driver.wellformed";
    internal const string RimSwitchChainCurrent = "rim.switch.chain.current";
    internal const string RimSwitchChainNotHeld = "rim.switch.chain.not-held";
    internal const string RimSwitchChainNotRevoked = "rim.switch.chain.not-revoked";
    internal const string RimVbiosAvailable = "rim.vbios.available";
    internal const string RimVbiosChainCurrent = "rim.vbios.chain.current";
    internal const string RimVbiosChainNotHeld = "rim.vbios.chain.not-held";
    internal const string RimVbiosChainNotRevoked = "rim.vbios.chain.not-revoked";
    internal const string RimVbiosChainTrusted = "rim.vbios.chain.trusted";
    internal const string RimVbiosSignatureValid = "rim.vbios.signature.valid";
    internal const string RimVbiosVersionMatch = "rim.vbios.version.match";
    internal const string RimVbiosWellformed = "rim.vbios.wellformed";

    // Measurements of devices.
    internal const string MeasurementsDriverMatch = "measurements.driver.match";
    internal const string MeasurementsMinSvnMet = "measurements.min-svn.met";
    internal const string MeasurementsNoConflict = "measurements.no-conflict";
    internal const string MeasurementsSwitchMatch = "measurements.switch.match";
    internal const string MeasurementsVbiosMatch = "measurements.vbios.match";

    // Devices as a set.
    internal const string SetDevicesDistinct = "set.devices.distinct";
    internal const string SetDevicesPresent = "set.devices.present";
    internal const string SetModeSame = "set.mode.same";
    internal const string SetNonceSame = "set.nonce.same";

    // How GPUs and switches are linked.
    internal const string TopologyGpusMatch = "topology.gpus.match";
    internal const string TopologySwitchesMatch = "topology.switches.match";

    // The clock.
    internal const string TimeFloorRespected = "time.floor.respected";
    internal const string TimeSourceChosen = "time.source.chosen";

    // Revocation.
    internal const string RevocationChosen = "revocation.chosen";

    // The container of a processor's evidence.
    internal const string CpuEvidenceWellformed = "cpu.evidence.wellformed";

    // TDX quotes.
    internal const string TdxAttestationKeyBound = "tdx.attestation-key.bound";
    internal const string TdxAttributesKnown = "tdx.attributes.known";
    internal const string TdxChainCurrent = "tdx.chain.current";
    internal const string TdxChainNotRevoked = "tdx.chain.not-revoked";
    internal const string TdxChainStatusCurrent = "tdx.chain.status-current";
    internal const string TdxChainTrusted = "tdx.chain.trusted";
    internal const string TdxChainWellformed = "tdx.chain.wellformed";
    internal const string TdxDebugOff = "tdx.debug.off";
    internal const string TdxMeasurementsMatch = "tdx.measurements.match";
    internal const string TdxMigrationOff = "tdx.migration.off";
    internal const string TdxModuleGenuine = "tdx.module.genuine";
    internal const string TdxPckWellformed = "tdx.pck.wellformed";
    internal const string TdxQeReportSignatureValid = "tdx.qe-report.signature.valid";
    internal const string TdxQeGenuine = "tdx.qe.genuine";
    internal const string TdxQuoteSignatureValid = "tdx.quote.signature.valid";
    internal const string TdxQuoteWellformed = "tdx.quote.wellformed";
    internal const string TdxReportDataMatch = "tdx.report-data.match";
    internal const string TdxSeptVeDisabled = "tdx.sept-ve.disabled";
    internal const string TdxServiceTdAccepted = "tdx.service-td.accepted";
    internal const string TdxTcbAdvisoriesAccepted = "tdx.tcb.advisories.accepted";
    internal const string TdxTcbInfoPlatformMatch = "tdx.tcb-info.platform.match";
    internal const string TdxTcbModuleAccepted = "tdx.tcb.module.accepted";
    internal const string TdxTcbPlatformAccepted = "tdx.tcb.platform.accepted";
    internal const string TdxTcbQeAccepted = "tdx.tcb.qe.accepted";
    internal const string TdxXfamKnown = "tdx.xfam.known";

    // SEV-SNP reports.
    internal const string SnpChainAvailable = "snp.chain.available";
    internal const string SnpChainCurrent = "snp.chain.current";
    internal const string SnpChainNotRevoked = "snp.chain.not-revoked";
    internal const string SnpChainStatusCurrent = "snp.chain.status-current";
    internal const string SnpChainTrusted = "snp.chain.trusted";
    internal const string SnpDebugOff = "snp.debug.off";
    internal const string SnpEndorsementChipMatch = "snp.endorsement.chip.match";
    internal const string SnpEndorsementTcbMatch = "snp.endorsement.tcb.match";
    internal const string SnpEndorsementWellformed = "snp.endorsement.wellformed";
    internal const string SnpMeasurementMatch = "snp.measurement.match";
    internal const string SnpMigrationAgentOff = "snp.migration-agent.off";
    internal const string SnpPlatformKnown = "snp.platform.known";
    internal const string SnpPolicyEnforced = "snp.policy.enforced";
    internal const string SnpPolicyKnown = "snp.policy.known";
    internal const string SnpProductMatch = "snp.product.match";
    internal const string SnpReportDataMatch = "snp.report-data.match";
    internal const string SnpReportSignatureValid = "snp.report.signature.valid";
    internal const string SnpReportWellformed = "snp.report.wellformed";
    internal const string SnpSigningKeyMatch = "snp.signing-key.match";
    internal const string SnpTcbAccepted = "snp.tcb.accepted";
    internal const string SnpTcbConsistent = "snp.tcb.consistent";
    internal const string SnpVmplAccepted = "snp.vmpl.accepted";

    // Quotes of TPMs.
    internal const string TpmAkRoot = "tpm.ak.root";
    internal const string TpmHclReportDataMatch = "tpm.hcl.report-data.match";
    internal const string TpmHclUserDataMatch = "tpm.hcl.user-data.match";
    internal const string TpmHclWellformed = "tpm.hcl.wellformed";
    internal const string TpmMeasurementsMatch = "tpm.measurements.match";
    internal const string TpmQuoteBankAccepted = "tpm.quote.bank.accepted";
    internal const string TpmQuoteBootSame = "tpm.quote.boot.same";
    internal const string TpmQuoteNonceMatch = "tpm.quote.nonce.match";
    internal const string TpmQuoteRegistersMatch = "tpm.quote.registers.match";
    internal const string TpmQuoteRegistersPresent = "tpm.quote.registers.present";
    internal const string TpmQuoteSignatureValid = "tpm.quote.signature.valid";
    internal const string TpmQuoteSignerMatch = "tpm.quote.signer.match";
    internal const string TpmQuoteWellformed = "tpm.quote.wellformed";
    internal const string TpmSignatureWellformed = "tpm.signature.wellformed";

    // Boot logs and the gate's events.
    internal const string BootBoundaryMatch = "boot.boundary.match";
    internal const string BootEventsExplained = "boot.events.explained";
    internal const string BootEventsInTime = "boot.events.in-time";
    internal const string BootEventsOnce = "boot.events.once";
    internal const string BootEventsOrder = "boot.events.order";
    internal const string BootEventsTyped = "boot.events.typed";
    internal const string BootGateComplete = "boot.gate.complete";
    internal const string BootGpuAttested = "boot.gpu.attested";
    internal const string BootGpuCcOn = "boot.gpu.cc.on";
    internal const string BootGpuPolicyAccepted = "boot.gpu.policy.accepted";
    internal const string BootLogDataMatch = "boot.log.data.match";
    internal const string BootLogReplayed = "boot.log.replayed";
    internal const string BootLogSeparators = "boot.log.separators";
    internal const string BootLogWellformed = "boot.log.wellformed";
    internal const string BootModelMatch = "boot.model.match";
    internal const string BootRegisterInTee = "boot.register.in-tee";
    internal const string BootSecureBootOn = "boot.secure-boot.on";
    internal const string BootWorkloadMatch = "boot.workload.match";

    // The whole machine.
    internal const string CompositeAnchorsSame = "composite.anchors.same";
    internal const string CompositeCpuPresent = "composite.cpu.present";
    internal const string CompositeGpusCount = "composite.gpus.count";
    internal const string CompositePartsPassed = "composite.parts.passed";
    internal const string CompositeSwitchesCount = "composite.switches.count";
    internal const string CompositeTimeSame = "composite.time.same";

    // Which machine it is.
    internal const string PlatformDevicesKnown = "platform.devices.known";
    internal const string PlatformProcessorKnown = "platform.processor.known";

    // What ties devices, processor and key.
    internal const string BindingBootDevices = "binding.boot.devices";
    internal const string BindingBootEvent = "binding.boot.event";
    internal const string BindingBootFresh = "binding.boot.fresh";
    internal const string BindingBootMode = "binding.boot.mode";
    internal const string BindingCpuDevices = "binding.cpu.devices";
    internal const string BindingKeyDevices = "binding.key.devices";
    internal const string BindingLevelMet = "binding.level.met";

    // Manifests of reference values.
    internal const string ReferenceAlgorithmAllowed = "reference.algorithm.allowed";
    internal const string ReferenceClockPlausible = "reference.clock.plausible";
    internal const string ReferenceContentWellformed = "reference.content.wellformed";
    internal const string ReferenceCurrent = "reference.current";
    internal const string ReferenceKeyKnown = "reference.key.known";
    internal const string ReferenceSequenceMet = "reference.sequence.met";
    internal const string ReferenceSignatureValid = "reference.signature.valid";
    internal const string ReferenceTypeMatch = "reference.type.match";
    internal const string ReferenceWellformed = "reference.wellformed";

    // The relying party's policy.
    internal const string PolicyRulesSatisfied = "policy.rules.satisfied";

    // Tokens.
    internal const string TokenAlgorithmAllowed = "token.algorithm.allowed";
    internal const string TokenAnchorsAccepted = "token.anchors.accepted";
    internal const string TokenAudienceMatch = "token.audience.match";
    internal const string TokenBindingMet = "token.binding.met";
    internal const string TokenClaimsWellformed = "token.claims.wellformed";
    internal const string TokenClockPlausible = "token.clock.plausible";
    internal const string TokenHeaderKnown = "token.header.known";
    internal const string TokenIssuerMatch = "token.issuer.match";
    internal const string TokenIssuerSame = "token.issuer.same";
    internal const string TokenKeyAlgorithm = "token.key.algorithm";
    internal const string TokenKeyKnown = "token.key.known";
    internal const string TokenLifetimeLimited = "token.lifetime.limited";
    internal const string TokenNonceMatch = "token.nonce.match";
    internal const string TokenNonceSame = "token.nonce.same";
    internal const string TokenProfileKnown = "token.profile.known";
    internal const string TokenResultPass = "token.result.pass";
    internal const string TokenSignatureValid = "token.signature.valid";
    internal const string TokenStatusAffirming = "token.status.affirming";
    internal const string TokenStatusConsistent = "token.status.consistent";
    internal const string TokenSubmodulesComplete = "token.submodules.complete";
    internal const string TokenSubmodulesDigest = "token.submodules.digest";
    internal const string TokenSubmodulesWellformed = "token.submodules.wellformed";
    internal const string TokenTeePubkeyMatch = "token.tee-pubkey.match";
    internal const string TokenTimeBegun = "token.time.begun";
    internal const string TokenTimeNotEnded = "token.time.not-ended";
    internal const string TokenWeakenedNone = "token.weakened.none";
    internal const string TokenWellformed = "token.wellformed";
}
