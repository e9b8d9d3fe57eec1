using System.Runtime.InteropServices;

namespace Assay.Guest.Sources;

/// <summary>
/// A library of the driver's, from the folders of the measured root where distributions put it: the loader's variables name no other, and a library of
/// another version says which function it lacks.
/// </summary>
internal sealed class NativeLibraryFile : IDisposable
{
    private static readonly string[] s_folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];

    private readonly nint _handle;
    private readonly string _name;
    private readonly string _id;

    private NativeLibraryFile(nint handle, string name, string id) => (_handle, _name, _id) = (handle, name, id);

    /// <summary>Loads it.</summary>
    /// <param name="name">For instance libnvidia-ml.so.1.</param>
    /// <param name="id">How faults are named: <c>source.nvml</c>.</param>
    /// <param name="package">What to install.</param>
    /// <param name="folders">Where to look; null for the system's folders.</param>
    public static NativeLibraryFile Open(string name, string id, string package, string[]? folders = null)
    {
        foreach (var path in (folders ?? s_folders).Select(folder => Path.Combine(folder, name)).Where(File.Exists))
        {
            return NativeLibrary.TryLoad(path, out var handle) ? new NativeLibraryFile(handle, name, id)
                : throw new GuestException($"{id}.unusable", $"{path} cannot be loaded: it is damaged, or of another processor", $"install {package} again");
        }

        throw new GuestException($"{id}.absent", $"{name} is in none of {string.Join(", ", folders ?? s_folders)}", $"put {package} into the image");
    }

    /// <summary>The address of a function.</summary>
    /// <exception cref="GuestException">The library has none of that name: it is too old.</exception>
    public nint Function(string name) => NativeLibrary.TryGetExport(_handle, name, out var address) ? address
        : throw new GuestException($"{_id}.too-old", $"{_name} has no {name}", "put a newer driver into the image (550 or later)");

    public void Dispose() => NativeLibrary.Free(_handle);
}
