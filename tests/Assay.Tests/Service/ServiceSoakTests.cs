using Assay.Tests.Speed;

namespace Assay.Tests.Service;

/// <summary>What a server holds after thousands of requests. It counts all memory of the process, so nothing else runs beside it.</summary>
[Collection(nameof(AloneInTheProcess))]
public sealed class ServiceSoakTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private const int Rounds = 1500;
    private const long Slack = 8 * 1024 * 1024;

    [Fact]
    [Trait("Category", "Soak")]
    public async Task Thousands_of_challenges_and_appraisals_leave_no_memory_behind()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        var evidence = await machine.EvidenceAsync(new string('2', 64));
        await RunAsync(world, evidence);
        var before = Held();

        for (var time = 0; time < 3; time++)
        {
            await RunAsync(world, evidence);
        }

        Assert.InRange(Held(), 0, before + Slack);
    }

    // Every fiftieth passes, the others are judged and refused: old evidence for a new challenge.
    private async Task RunAsync(ServiceWorld world, string evidence)
    {
        for (var round = 0; round < Rounds; round++)
        {
            var (id, nonce) = await world.ChallengeAsync();
            var answer = await world.AppraiseAsync(id, round % 50 == 0 ? await machine.EvidenceAsync(nonce) : evidence);
            Assert.Equal(round % 50 == 0 ? 200 : 422, answer.Status);
            answer.Response.Dispose();
        }

        while (world.Logged.TryDequeue(out _))
        {
            // What the test itself keeps.
        }
    }

    private static long Held()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }
}
