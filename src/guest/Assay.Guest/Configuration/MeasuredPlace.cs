using System.Globalization;
using Assay.Collateral.Files;

namespace Assay.Guest.Configuration;

/// <summary>
/// Whether a file lies where a launch measurement covers it: on a read-only dm-verity device, or in the initial RAM file system, which is part of the
/// measured kernel image. A disk that the host can write is neither, and an overlay over the root hides it (S-6, S-30).
/// </summary>
internal sealed class MeasuredPlace
{
    private const int LargestTable = 4 * 1024 * 1024;
    private const string VerityUuid = "CRYPT-VERITY-";

    private readonly string _mounts;
    private readonly string _devices;
    private readonly bool _anywhere;

    /// <param name="mounts">The kernel's table of mounts.</param>
    /// <param name="devices">Its folder of block devices by number.</param>
    public MeasuredPlace(string mounts = "/proc/self/mountinfo", string devices = "/sys/dev/block") => (_mounts, _devices) = (mounts, devices);

    private MeasuredPlace(bool anywhere) => (_mounts, _devices, _anywhere) = ("", "", anywhere);

    /// <summary>For whoever builds an image, whose files are measured later; and for builds with simulated sources.</summary>
    public static MeasuredPlace Anywhere { get; } = new(anywhere: true);

    /// <summary>Null where the file is measured, else why not.</summary>
    public string? WhyNot(string path)
    {
        if (_anywhere)
        {
            return null;
        }

        // Of the file itself: a link may lead out of the measured root.
        var real = Resolve(path);
        if (!BoundedFile.TryRead(_mounts, LargestTable, out var table, out var whyNot))
        {
            return whyNot;
        }

        // The longest holds the file, unless a later one lies over it: the longest and all that are later have to be measured.
        var (best, over) = ((Mount?)null, (string?)null);
        foreach (var line in System.Text.Encoding.UTF8.GetString(table.Span).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (Mount.Parse(line) is { } mount && mount.Holds(real))
            {
                (best, over) = best is null || mount.Point.Length >= best.Point.Length ? (mount, null) : (best, over ?? WhyNot(mount));
            }
        }

        return best is null ? "no mount holds it" : WhyNot(best) ?? over;
    }

    // A ramfs elsewhere is not the initial one: systemd keeps credentials in such a file system, and a host may supply credentials.
    private string? WhyNot(Mount mount) => mount switch
    {
        { Kind: "rootfs" } or { Kind: "ramfs", Point: "/" } => null,
        { IsReadOnly: false } => $"{mount.Source} ({mount.Kind}) is writable",
        _ => IsVerity(mount.Device) ? null : $"{mount.Source} ({mount.Kind}) is not a dm-verity device",
    };

    private bool IsVerity(string device) =>
        BoundedFile.TryRead(Path.Combine(_devices, device, "dm", "uuid"), 1024, out var uuid, out _) && System.Text.Encoding.ASCII.GetString(uuid.Span).StartsWith(VerityUuid, StringComparison.Ordinal);

    // The kernel's own name of what an open finds: links may stand anywhere in a path.
    private static string Resolve(string path)
    {
        try
        {
            using var stream = BoundedFile.Open(path);
            return new FileInfo($"/proc/self/fd/{stream.SafeFileHandle.DangerousGetHandle()}").LinkTarget ?? Path.GetFullPath(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It cannot be read either, and that is what will be said.
            return Path.GetFullPath(path);
        }
    }

    // proc_pid_mountinfo(5): id parent major:minor root point options [fields…] - kind source options.
    private sealed record Mount(string Device, string Point, bool IsReadOnly, string Kind, string Source)
    {
        public static Mount? Parse(string line)
        {
            var words = line.Split(' ');
            var dash = Array.IndexOf(words, "-");
            return dash < 6 || words.Length < dash + 4 ? null
                : new Mount(words[2], Unescape(words[4]), words[5].Split(',').Contains("ro"), words[dash + 1], Unescape(words[dash + 2]));
        }

        public bool Holds(string path) => Point == "/" || path == Point || path.StartsWith(Point + "/", StringComparison.Ordinal);

        private static string Unescape(string text)
        {
            var result = new System.Text.StringBuilder();
            for (var index = 0; index < text.Length; index++)
            {
                if (text[index] == '\\' && index + 3 < text.Length && int.TryParse(text.AsSpan(index + 1, 3), NumberStyles.None, CultureInfo.InvariantCulture, out var octal))
                {
                    result.Append((char)(octal / 100 * 64 + octal / 10 % 10 * 8 + octal % 10));
                    index += 3;
                }
                else
                {
                    result.Append(text[index]);
                }
            }

            return result.ToString();
        }
    }
}
