using Assay.Collateral.Proxy;
using Microsoft.AspNetCore.Routing.Patterns;

namespace Assay.Tests.Regressions;

/// <summary>Empty segments passed the comparison of paths where a route takes all that is left: only what came after it refused them.</summary>
public sealed class Bug0156_EmptySegmentsTests
{
    [Theory]
    [InlineData("/v1/rim/{**id}", "/v1/rim//", false)]
    [InlineData("/v1/rim/{**id}", "/v1/rim/", false)]
    [InlineData("/v1/rim/{**id}", "/v1/rim/a/", false)]
    [InlineData("/v1/rim/{**id}", "/v1/rim//a", false)]
    [InlineData("/v1/rim/{**id}", "/v1/rim/a//b", false)]
    [InlineData("/v1/rim/{**id}", "/v1/rim", false)]
    [InlineData("/v1/rim/{**id}", "/v1/rim/a", true)]
    [InlineData("/crl/{**name}", "/crl/folder/a.crl", true)]
    public void A_route_takes_no_empty_segment(string pattern, string path, bool matches) => Assert.Equal(matches, ExactPaths.Matches(RoutePatternFactory.Parse(pattern), path, hasFreeRest: false));

    [Theory]
    [InlineData("/ocsp/{**request}", "/ocsp/MA//B/")]
    [InlineData("/ocsp/{**request}", "/ocsp/")]
    [InlineData("/{**path}", "//")]
    [InlineData("/{**path}", "/")]
    public void Base64_and_the_fallback_take_all_that_is_left(string pattern, string path) => Assert.True(ExactPaths.Matches(RoutePatternFactory.Parse(pattern), path, hasFreeRest: true));
}
