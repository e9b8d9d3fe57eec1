using System.Diagnostics.CodeAnalysis;
using System.Text;
using Assay.Wire;

namespace Assay.Evidence.EventLogs;

/// <summary>What the data of an event say, and whether its digest covers them.</summary>
internal static class BootEventData
{
    private static ReadOnlySpan<byte> GrubCommandLine => "kernel_cmdline: "u8;

    /// <summary>Whether an event of this type is defined to have its data's digest.</summary>
    public static bool MustBeCovered(BootEvent item)
    {
        ArgumentNullException.ThrowIfNull(item);
        return item.Type is BootEventType.Separator or BootEventType.CrtmVersion or BootEventType.NonHostInfo or BootEventType.EfiVariableDriverConfig
            or BootEventType.EfiAction or BootEventType.EfiVariableBoot2 or BootEventType.EfiVariableAuthority;
    }

    /// <summary>Whether the log calls it a UEFI variable. Types are not measured: an event of another type may be one all the same.</summary>
    internal static bool IsCalledVariable(BootEvent item) =>
        item.Type is BootEventType.EfiVariableDriverConfig or BootEventType.EfiVariableBoot or BootEventType.EfiVariableBoot2 or BootEventType.EfiVariableAuthority;

    /// <summary>Whether the digest is that of the data: only then the data are as authentic as the register.</summary>
    /// <param name="item">An event.</param>
    /// <param name="bank">The bank of the digest.</param>
    /// <param name="position">Where that bank stands in <see cref="BootEvent.Digests"/>.</param>
    internal static bool IsCovered(BootEvent item, TcgHash bank, int position) => item.Digests[position] == bank.Of(item.Data.Span);

    /// <summary>
    /// The kernel's command line as GRUB measures it: "kernel_cmdline: …", of which the digest covers what follows the prefix.
    /// </summary>
    internal static bool IsGrubCommandLine(BootEvent item, TcgHash bank, int position, [NotNullWhen(true)] out string? commandLine)
    {
        var data = item.Data.Span;
        data = data is [.. var text, 0] ? text : data;
        var covered = item.Type is BootEventType.Ipl && data.StartsWith(GrubCommandLine) && item.Digests[position] == bank.Of(data[GrubCommandLine.Length..]);
        commandLine = covered ? Encoding.UTF8.GetString(data[GrubCommandLine.Length..]) : null;
        return covered;
    }

    /// <summary>A label that anybody may have chosen, cut to its printable ASCII: UTF-16 and UTF-8 alike.</summary>
    internal static string Label(BootEvent item)
    {
        const int longest = 96;
        var text = new StringBuilder();
        foreach (var octet in item.Data.Span)
        {
            if (octet is >= 0x20 and < 0x7F && text.Length < longest)
            {
                text.Append((char)octet);
            }
        }

        return text.ToString();
    }
}
