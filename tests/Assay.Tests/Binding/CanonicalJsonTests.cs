using System.Globalization;
using System.Text;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Tests.Binding;

/// <summary>RFC 8785 against the goldens of another implementation.</summary>
public class CanonicalJsonTests
{
    [Fact]
    public void Every_document_is_written_as_the_goldens_say()
    {
        using var goldens = Goldens();
        var documents = goldens.RootElement.GetProperty("documents").EnumerateArray().ToArray();
        Assert.NotEmpty(documents);
        foreach (var document in documents)
        {
            using var input = JsonDocument.Parse(document.GetProperty("input").GetString()!);

            var written = CanonicalJson.Write(input.RootElement);

            Assert.Equal(document.GetProperty("output_utf8_hex").GetString(), Convert.ToHexStringLower(written));
            // What is canonical reads as canonical, and stays what it is.
            Assert.True(CanonicalJson.TryRead(written, out var again, out var fault), fault?.ToString());
            Assert.Equal(written, CanonicalJson.Write(again.RootElement));
            again.Dispose();
        }
    }

    [Fact]
    public void Every_number_is_written_as_the_goldens_say()
    {
        using var goldens = Goldens();
        var numbers = goldens.RootElement.GetProperty("numbers").EnumerateArray().ToArray();
        Assert.InRange(numbers.Length, 500, 1000);
        foreach (var number in numbers.Where(item => item.GetProperty("json").ValueKind is JsonValueKind.String))
        {
            var bits = ulong.Parse(number.GetProperty("ieee754").GetString()!, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            Assert.Equal(number.GetProperty("json").GetString(), CanonicalJson.Text(BitConverter.UInt64BitsToDouble(bits)));
        }
    }

    [Theory]
    [InlineData("{\"b\":1,\"a\":2}")]
    [InlineData("{ \"a\":1}")]
    [InlineData("{\"a\":1.0}")]
    [InlineData("{\"a\":\"\\u0041\"}")]
    [InlineData("{\"a\":\"\\/\"}")]
    [InlineData("[1e999]")]
    [InlineData("[-0]")]
    [InlineData("{\"a\":1}\n")]
    [InlineData("{\"a\":1,\"a\":1}")]
    [InlineData("")]
    public void Another_spelling_of_a_value_is_refused(string json)
    {
        Assert.False(CanonicalJson.TryRead(Encoding.UTF8.GetBytes(json), out _, out var fault));
        Assert.NotNull(fault);
    }

    private static JsonDocument Goldens() => JsonDocument.Parse(Recorded.Bytes("formats/jcs.json"));
}
