using Assay.Collateral.Http;

namespace Assay.Tests.Collateral;

public class ServiceAddressTests
{
    [Theory]
    [InlineData("https://rim.attestation.nvidia.com", "https://rim.attestation.nvidia.com")]
    [InlineData("https://host:8443/path/?token=abc", "https://host:8443/path")]
    [InlineData("http://127.0.0.1:80/", "http://127.0.0.1")]
    [InlineData("http://[::1]:8080", "http://[::1]:8080")]
    [InlineData("http://localhost:8080", "http://localhost:8080")]
    public void Https_and_http_to_this_machine_are_addresses_shown_without_query(string text, string shown)
    {
        Assert.True(ServiceAddress.TryParse(text, out var address, out var fault), fault?.ToString());
        Assert.Equal(shown, address.ToString());
    }

    [Theory]
    [InlineData("http://rim.attestation.nvidia.com", "plain http to rim.attestation.nvidia.com")]
    [InlineData("http://127.0.0.1.example.com", "plain http")]
    [InlineData("http://localhost.example.com", "plain http")]
    [InlineData("http://10.0.0.1", "plain http")]
    [InlineData("https://user:word@host", "use a service key")]
    [InlineData("https://host/#part", "fragment")]
    [InlineData("ftp://host", "absolute URL")]
    [InlineData("file:///etc/passwd", "absolute URL")]
    [InlineData("host/path", "absolute URL")]
    [InlineData("", "empty")]
    [InlineData(null, "empty")]
    public void Anything_else_is_refused_by_name(string? text, string named)
    {
        Assert.False(ServiceAddress.TryParse(text, out var address, out var fault));
        Assert.Null(address);
        Assert.Contains(named, fault.Problem, StringComparison.Ordinal);
        Assert.DoesNotContain("word@", fault.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData("key\n", "visible ASCII")]
    [InlineData("key\r\nHost: evil", "visible ASCII")]
    [InlineData("k é y", "visible ASCII")]
    public void A_key_that_cannot_stand_in_a_header_is_refused_without_being_repeated(string text, string named)
    {
        Assert.False(SecretText.TryCreate(text, out var key, out var fault));
        Assert.Null(key);
        Assert.Contains(named, fault.Problem, StringComparison.Ordinal);
        Assert.DoesNotContain("evil", fault.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_that_was_disposed_is_not_sent()
    {
        Assert.True(SecretText.TryCreate("nvapi-secret", out var key, out _));
        key.Dispose();

        Assert.Throws<ObjectDisposedException>(() => key.AddTo(new HttpRequestMessage().Headers, null));
        Assert.DoesNotContain("secret", key.ToString(), StringComparison.Ordinal);
    }
}
