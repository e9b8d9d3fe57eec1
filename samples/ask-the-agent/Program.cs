using Assay.Client.Guest;

// Inside a confidential VM that booted through the gate of assay-guest.
try
{
    using var agent = new GuestAgentClient();
    var status = await agent.EnsureGpuReadyAsync();
    Console.WriteLine($"ready, verified at {status.VerifiedAt:O}");

    // For whoever sent the challenge: assay verify --evidence machine.json --nonce CHALLENGE.
    await File.WriteAllBytesAsync("machine.json", (await agent.GetEvidenceAsync(args[0], key: "release")).ToArray());
    return 0;
}
catch (AgentException refused)
{
    Console.Error.WriteLine($"{refused.Id}: {refused.Reason}; {refused.Cure}");
    return 1;
}
