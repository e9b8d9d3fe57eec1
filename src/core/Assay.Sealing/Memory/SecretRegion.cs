using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Assay.Sealing.Memory;

/// <summary>
/// Whole pages between two that nobody may touch: locked (mlock), left out of dumps (MADV_DONTDUMP), zeros in a forked child
/// (MADV_WIPEONFORK). Wiped before it is given back, by Dispose or else by the finalizer; while somebody borrows it, neither runs.
/// </summary>
/// <remarks>Linux man-pages: mmap(2), mlock(2), madvise(2), fork(2). The content ends at the upper guard page, to the alignment.</remarks>
internal sealed unsafe class SecretRegion : SafeHandle
{
    private const int Alignment = 16;

    private readonly nuint _mapped;
    private readonly nuint _inner;

    private SecretRegion(nint address, nuint mapped, nuint inner, int length)
        : base(Libc.Failed, ownsHandle: true)
    {
        (_mapped, _inner, Length) = (mapped, inner, length);
        SetHandle(address);
    }

    public override bool IsInvalid => handle == Libc.Failed;

    public int Length { get; }

    public bool IsLocked { get; private set; }

    /// <summary>The content's first byte.</summary>
    public byte* Content
    {
        get
        {
            var padded = ((nuint)Length + Alignment - 1) / Alignment * Alignment;
            return (byte*)handle + PageSize + _inner - padded;
        }
    }

    private static nuint PageSize => (nuint)Environment.SystemPageSize;

    /// <summary>Pages for so many bytes; all zero.</summary>
    /// <exception cref="SealingException">The kernel refuses.</exception>
    public static SecretRegion Map(int length, bool mayBeUnlocked)
    {
        var page = PageSize;
        var inner = ((nuint)Math.Max(length, 1) + page - 1) / page * page;
        var mapped = inner + (2 * page);
        var address = Libc.Map(0, mapped, 0, Libc.PrivateAnonymous, -1, 0);
        if (address == Libc.Failed)
        {
            throw Refused(SealingFaults.MemoryUnavailable, "mmap", "free memory, or raise the limit on address space (RLIMIT_AS)");
        }

        var region = new SecretRegion(address, mapped, inner, length);
        try
        {
            region.Protect(mayBeUnlocked);
            return region;
        }
        catch
        {
            region.Dispose();
            throw;
        }
    }

    protected override bool ReleaseHandle()
    {
        var inner = handle + (nint)PageSize;
        // Not readable only where mapping it failed half way; then nothing was written to it either.
        if (Libc.Protect(inner, _inner, Libc.ReadWrite) == 0)
        {
            CryptographicOperations.ZeroMemory(new Span<byte>((byte*)inner, (int)_inner));
        }

        return Libc.Unmap(handle, _mapped) == 0;
    }

    private void Protect(bool mayBeUnlocked)
    {
        var inner = handle + (nint)PageSize;
        if (Libc.Protect(inner, _inner, Libc.ReadWrite) != 0)
        {
            throw Refused(SealingFaults.MemoryUnavailable, "mprotect", "free memory");
        }

        // Before anything secret is in it: memory that a dump would hold is no place for a key.
        if (Libc.Advise(inner, _inner, Libc.DoNotDump) != 0 || Libc.Advise(inner, _inner, Libc.WipeOnFork) != 0)
        {
            throw Refused(SealingFaults.MemoryUnavailable, "madvise", "use Linux 4.14 or later");
        }

        IsLocked = Libc.Lock(inner, _inner) == 0;
        if (!IsLocked && !mayBeUnlocked)
        {
            throw Refused(
                SealingFaults.MemoryNotLocked, "mlock",
                "raise the limit on locked memory (LimitMEMLOCK= of the unit, ulimit -l of the shell), or accept that secrets can be swapped out: DangerouslyAllowUnlockedMemory");
        }
    }

    private static SealingException Refused(string id, string call, string cure) =>
        new(new SealingFault(id, $"{call} of memory for a secret: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}", cure));
}
