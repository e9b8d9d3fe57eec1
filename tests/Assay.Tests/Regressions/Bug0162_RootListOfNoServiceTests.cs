using System.Collections.Concurrent;
using System.CommandLine;
using Assay.Cli.Collateral;
using Assay.Collateral;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Tests.Collateral;

namespace Assay.Tests.Regressions;

/// <summary><c>--intel-root-crl-url none</c> asked the service of <c>--intel-url</c> for the list, where every other <c>none</c> asks no service.</summary>
public sealed class Bug0162_RootListOfNoServiceTests(ProcessorServices services) : IClassFixture<ProcessorServices>
{
    [Theory]
    [InlineData("none", false)]
    [InlineData("pccs", true)]
    public async Task None_asks_no_service_for_the_list_of_Intels_root(string word, bool isAsked)
    {
        var asked = new ConcurrentBag<string>();
        await using var upstream = await services.UpstreamAsync((request, answer) =>
        {
            asked.Add(request.Path.Value!);
            return answer;
        });
        var arguments = new UpstreamArguments();
        var command = new Command("fetch");
        arguments.All.ToList().ForEach(command.Options.Add);
        var faults = new List<string>();
        var options = arguments.Read(command.Parse(["--intel-url", upstream.Text, "--intel-root-crl-url", word]), (_, message) => faults.Add(message), []);
        using var http = new HttpUpstream(options);

        var answer = await http.FetchAsync(new CollateralQuestion(new CollateralKey(CollateralKind.RootCrl, "")), TestContext.Current.CancellationToken);

        Assert.Empty(faults);
        Assert.Equal(isAsked, answer.Item is not null);
        Assert.Equal(isAsked ? ["/sgx/certification/v4/rootcacrl"] : [], asked);
    }
}
