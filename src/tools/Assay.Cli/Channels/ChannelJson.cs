using System.Text.Json;
using Assay.Binding;
using Assay.Wire;

namespace Assay.Cli.Channels;

/// <summary>What <c>assay client check</c> found, for programs: docs/reference/channels.md describes it.</summary>
internal sealed class ChannelJson(ChannelCheck check)
{
    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("address", check.Server.ToString());
        writer.WriteBoolean("opened", check.Result is not null);
        WriteResult(writer);
        if (check.Refusal is { } refusal)
        {
            writer.WriteStartObject("refused");
            writer.WriteString("id", refusal.Id);
            writer.WriteString("reason", refusal.Reason);
            writer.WriteEndObject();
        }

        writer.WriteStartObject("policy");
        writer.WriteString("path", check.Policy.Path);
        writer.WriteString("sha384", check.Policy.Sha384.ToString());
        writer.WriteString("level", ChannelBinding.WordOf(check.Policy.Policy.MinimumLevel));
        writer.WriteString("purpose", check.Policy.Policy.Purpose);
        writer.WriteString("operator", check.Policy.Whose);
        writer.WriteEndObject();
        writer.WritePropertyName("verdict");
        if (check.Verdict is { } verdict)
        {
            writer.WriteRawValue(verdict.ToJson(check.Policy.Request.Claims));
        }
        else
        {
            writer.WriteNullValue();
        }

        writer.WriteEndObject();
    }

    private void WriteResult(Utf8JsonWriter writer)
    {
        if (check.Result is not { } result)
        {
            return;
        }

        writer.WriteString("level", ChannelBinding.WordOf(result.Level));
        writer.WriteString("purpose", result.Purpose);
        writer.WriteString("operator", result.Operator);
        writer.WriteString("epoch", Convert.ToHexStringLower(result.Epoch.Span));
        writer.WriteString("leaf", Convert.ToHexStringLower(result.Leaf.Span));
        writer.WriteString("certificateEnds", Utc.Text(result.NotAfter));
        writer.WriteStartArray("weakened");
        foreach (var name in result.Weakened)
        {
            writer.WriteStringValue(name);
        }

        writer.WriteEndArray();
    }
}
