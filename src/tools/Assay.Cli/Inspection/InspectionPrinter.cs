using System.Collections.Immutable;
using Assay.Inspection;
using Spectre.Console;

namespace Assay.Cli.Inspection;

/// <summary>The tree for people: labels and values in columns, tables where the same members repeat.</summary>
internal sealed class InspectionPrinter(IAnsiConsole console)
{
    private const int Indent = 2;
    private const int Unfolded = 100_000;
    private const string Gap = "  ";

    // A list of 200,000 entries is for programs.
    private const int MostRows = 300;

    private static readonly Dictionary<string, string> s_words = new()
    {
        ["rim"] = "RIM",
        ["crl"] = "CRL",
        ["ocsp"] = "OCSP",
        ["spdm"] = "SPDM",
        ["spki"] = "SPKI",
        ["oid"] = "OID",
        ["svns"] = "SVNs",
        ["snp"] = "SNP",
        ["tdx"] = "TDX",
        ["td"] = "TD",
        ["tpm"] = "TPM",
        ["vtpm"] = "vTPM",
        ["hcl"] = "HCL",
        ["azure"] = "Azure",
        ["qe"] = "QE",
        ["pcr"] = "PCR",
        ["pcrs"] = "PCRs",
        ["tcb"] = "TCB",
        ["tee"] = "TEE",
        ["svn"] = "SVN",
        ["tdattributes"] = "TDATTRIBUTES",
        ["xfam"] = "XFAM",
        ["seamattributes"] = "SEAMATTRIBUTES",
        ["reportdata"] = "REPORTDATA",
        ["cpusvn"] = "CPUSVN",
        ["miscselect"] = "MISCSELECT",
        ["isvprodid"] = "ISVPRODID",
        ["isvsvn"] = "ISVSVN",
        ["fmspc"] = "FMSPC",
        ["pceid"] = "PCEID",
        ["pcesvn"] = "PCESVN",
        ["sgx"] = "SGX",
        ["vmpl"] = "VMPL",
        ["pks"] = "PKS",
        ["kl"] = "KL",
        ["cpuid"] = "CPUID",
        ["mrtd"] = "MRTD",
        ["mrseam"] = "MRSEAM",
        ["mrsignerseam"] = "MRSIGNERSEAM",
        ["mrconfigid"] = "MRCONFIGID",
        ["mrowner"] = "MROWNER",
        ["mrownerconfig"] = "MROWNERCONFIG",
        ["mrservicetd"] = "MRSERVICETD",
        ["mrenclave"] = "MRENCLAVE",
        ["mrsigner"] = "MRSIGNER",
        ["rtmr0"] = "RTMR0",
        ["rtmr1"] = "RTMR1",
        ["rtmr2"] = "RTMR2",
        ["rtmr3"] = "RTMR3",
        ["sha1"] = "SHA-1",
        ["sha256"] = "SHA-256",
        ["sha384"] = "SHA-384",
    };

    /// <summary>A JSON key as people write it.</summary>
    public static string Words(string key) => string.Join(' ', key.Split('_').Select(word => s_words.GetValueOrDefault(word, word)));

    /// <param name="root">The file.</param>
    /// <param name="name">What it is called.</param>
    public void Print(InspectionNode root, string name)
    {
        // A terminal folds long lines itself, and a digest that is copied out of it stays whole.
        var width = console.Profile.Width;
        console.Profile.Width = Unfolded;
        console.MarkupLineInterpolated($"[bold]{Printable.Of($"{name}: {Words(root.Name)}; shown as is, nothing is verified")}[/]");
        PrintMembers(root.Children, 0);
        console.Profile.Width = width;
    }

    private void PrintMembers(ImmutableArray<InspectionNode> members, int depth)
    {
        ImmutableArray<InspectionNode> shown = [.. members.Where(member => !member.JsonOnly)];
        var width = shown.Where(IsLine).Select(member => Label(member).Length).DefaultIfEmpty(0).Max();
        var first = true;
        foreach (var member in shown)
        {
            if (IsLine(member))
            {
                Line($"[grey]{Label(member).PadRight(width).EscapeMarkup()}[/]{Gap}{Cell(member).EscapeMarkup()}", depth);
            }
            else
            {
                PrintBlock(member, depth, spaced: depth < 2 || !first);
            }

            first = false;
        }
    }

    private void PrintBlock(InspectionNode block, int depth, bool spaced)
    {
        if (block.Form is NodeForm.List)
        {
            foreach (var element in block.Children.Where(element => !element.JsonOnly))
            {
                PrintBlock(element, depth, spaced: true);
            }

            return;
        }

        if (spaced)
        {
            console.WriteLine();
        }

        Line($"[bold]{Printable.Of(block.Shown ?? Label(block)).EscapeMarkup()}[/]", depth);
        if (block.Form is NodeForm.Table)
        {
            PrintTable([.. block.Children.Where(row => !row.JsonOnly)], depth + 1);
        }
        else
        {
            PrintMembers(block.Children, depth + 1);
        }
    }

    private void PrintTable(ImmutableArray<InspectionNode> rows, int depth)
    {
        string[] columns = [.. rows.SelectMany(row => row.Children).Where(cell => !cell.JsonOnly).Select(cell => cell.Name).Distinct()];
        var visible = rows.Take(MostRows).ToArray();
        string[][] cells = [.. visible.Select(row => columns.Select(column => CellOf(row, column)).ToArray())];
        int[] widths = [.. columns.Select((column, index) => cells.Select(line => line[index].Length).Append(Printable.Of(Words(column)).Length).Max())];

        Line($"[grey]{Join(columns.Select(column => Printable.Of(Words(column))), widths).EscapeMarkup()}[/]", depth);
        foreach (var line in cells)
        {
            Line(Join(line, widths).EscapeMarkup(), depth);
        }

        if (rows.Length > MostRows)
        {
            Line($"… and {rows.Length - MostRows} more; --format json has all", depth);
        }
    }

    private void Line(string markup, int depth) => console.MarkupLine(new string(' ', depth * Indent) + markup);

    private static string Join(IEnumerable<string> cells, int[] widths) =>
        string.Join(Gap, cells.Select((cell, index) => cell.PadRight(widths[index]))).TrimEnd();

    private static string CellOf(InspectionNode row, string column)
    {
        foreach (var cell in row.Children)
        {
            if (cell.Name == column && !cell.JsonOnly)
            {
                return Cell(cell);
            }
        }

        return "-";
    }

    private static string Cell(InspectionNode node) => Printable.Of(node.Shown ?? node.Value ?? "");

    private static string Label(InspectionNode node) => Printable.Of(Words(node.Name));

    // A list of plain values has its own words for people and stands on one line.
    private static bool IsLine(InspectionNode node) => node.Value is not null || (node.Form is NodeForm.List && node.Shown is not null);
}
