using System.CommandLine;
using Assay.Cli.Collateral;
using Assay.Collateral;
using Assay.Collateral.Bundles;
using Assay.Collateral.Files;
using Assay.Collateral.Http;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;

namespace Assay.Cli.Verify;

/// <summary>Where collateral comes from: what the options name, and nothing else.</summary>
/// <param name="options">Of the command.</param>
/// <param name="parsed">The command line.</param>
/// <param name="refuse">Takes id and message of each fault.</param>
internal sealed class SourcesRequest(VerifyOptions options, ParseResult parsed, Action<string, string> refuse)
{
    /// <summary>The source of each kind: a folder, a bundle or a URL that was given, and none otherwise.</summary>
    public CollateralSources Read(VerifiedBundle? bundle)
    {
        var proxy = Proxy();
        var processors = new UpstreamOptions
        {
            Intel = Service(options.IntelUrl, ServiceWords.Intel, UpstreamOptions.Manufacturers.Intel, proxy),
            IntelRootCrl = parsed.GetValue(options.IntelUrl) is ServiceWords.Intel ? UpstreamOptions.Manufacturers.IntelRootCrl : null,
            Amd = Service(options.AmdUrl, ServiceWords.Amd, UpstreamOptions.Manufacturers.Amd, proxy),
            // One command asks a few times and ends: a breaker would hide why the first request failed.
            Http = new CollateralHttpOptions(),
        };
        var upstream = processors is { Intel: null, Amd: null } ? null : new HttpUpstream(processors);
        return new CollateralSources
        {
            Rims = Rims(proxy) ?? bundle,
            Ocsp = Ocsp(proxy) ?? bundle,
            Intel = processors.Intel is null ? bundle : upstream,
            Amd = processors.Amd is null ? bundle : upstream,
            WhyNotAsked = kind => kind is CollateralKind.Rim ? "no RIM source was asked; give --rim-store DIR or --rim-url URL" : "no OCSP source was asked; give --ocsp-url URL or --ocsp-store DIR",
        };
    }

    /// <summary>Where items of a kind are asked for, as a bar names it: a host, a folder, a bundle. Null where nowhere.</summary>
    public string? From(CollateralKind kind)
    {
        var (url, folder, manufacturer) = kind switch
        {
            CollateralKind.Rim => (options.RimUrl, options.RimStore, UpstreamOptions.Manufacturers.Rim),
            CollateralKind.Ocsp => (options.OcspUrl, options.OcspStore, UpstreamOptions.Manufacturers.Ocsp),
            CollateralKind.AmdChain or CollateralKind.AmdCrl or CollateralKind.Vcek => (options.AmdUrl, null, UpstreamOptions.Manufacturers.Amd),
            _ => (options.IntelUrl, (Option<string?>?)null, UpstreamOptions.Manufacturers.Intel),
        };
        return folder is not null && parsed.GetValue(folder) is { } path ? path
            : HostOf(parsed.GetValue(url) ?? parsed.GetValue(options.CollateralUrl), manufacturer) ?? (parsed.GetValue(options.Bundle) is { } bundle ? InputFile.NameOf(bundle) : null);
    }

    private static string? HostOf(string? text, ServiceAddress? manufacturer) => text switch
    {
        null or ServiceWords.None => null,
        ServiceWords.Nvidia or ServiceWords.Intel or ServiceWords.Amd => manufacturer!.Uri.Host,
        _ => Uri.TryCreate(text, UriKind.Absolute, out var address) ? address.Authority : null,
    };

    private ICollateralSource? Rims(ServiceAddress? proxy)
    {
        var folder = parsed.GetValue(options.RimStore);
        if (folder is not null && NamesService(options.RimUrl))
        {
            refuse("cli.rim", "give --rim-store or --rim-url, not both");
            return null;
        }

        return folder is not null ? new DirectoryRimStore(RequireFolder("--rim-store", folder))
            : Service(options.RimUrl, ServiceWords.Nvidia, RimServiceClient.NvidiaBaseAddress, proxy) is { } address ? new RimServiceClient(address, new CollateralHttpOptions())
            : null;
    }

    // That no service is asked waives nothing: without an answer the verdict is incomplete.
    private ICollateralSource? Ocsp(ServiceAddress? proxy)
    {
        var folder = parsed.GetValue(options.OcspStore);
        var skipped = parsed.GetValue(options.SkipRevocation);
        if ((folder is null ? 0 : 1) + (NamesService(options.OcspUrl) ? 1 : 0) + (skipped ? 1 : 0) > 1)
        {
            refuse("cli.ocsp", "give one of --ocsp-url, --ocsp-store and --dangerously-skip-revocation");
            return null;
        }

        return folder is not null ? new DirectoryOcspStore(RequireFolder("--ocsp-store", folder))
            : Service(options.OcspUrl, ServiceWords.Nvidia, OcspClient.NvidiaAddress, skipped ? null : proxy) is { } address ? new OcspClient(address, new CollateralHttpOptions())
            : null;
    }

    private bool NamesService(Option<string?> option) => parsed.GetValue(option) is not (null or ServiceWords.None);

    private ServiceAddress? Service(Option<string?> option, string word, ServiceAddress? manufacturer, ServiceAddress? otherwise) =>
        parsed.GetValue(option) is { } text ? ServiceWords.Read(option.Name, text, word, manufacturer, refuse) : otherwise;

    private ServiceAddress? Proxy()
    {
        if (parsed.GetValue(options.CollateralUrl) is not { } text)
        {
            return null;
        }

        if (!ServiceAddress.TryParse(text, out var address, out var fault))
        {
            refuse("cli.url", $"{options.CollateralUrl.Name}: {fault.Problem}");
        }

        return address;
    }

    private string RequireFolder(string option, string folder)
    {
        if (StoreFolders.WhyNot(option, folder) is { } whyNot)
        {
            refuse("cli.folder", whyNot);
        }

        return folder;
    }
}
