namespace Assay.Sealing;

/// <summary>The ids of all faults. Permanent: add freely, never rename or reuse. docs/troubleshooting/sealing.md explains them.</summary>
public static class SealingFaults
{
    /// <summary>The kernel does not lock the memory (mlock, RLIMIT_MEMLOCK).</summary>
    public const string MemoryNotLocked = "sealing.memory.not-locked";

    /// <summary>The kernel gives no memory, or does not exclude it from dumps.</summary>
    public const string MemoryUnavailable = "sealing.memory.unavailable";

    /// <summary>The process could not be hardened.</summary>
    public const string ProcessOpen = "sealing.process.open";

    /// <summary>Not Linux, or no OpenSSL 3.</summary>
    public const string Platform = "sealing.platform";

    /// <summary>A call of libcrypto that cannot fail did.</summary>
    public const string Library = "sealing.library";

    /// <summary>A key that is not a key, or of a kind that is not supported.</summary>
    public const string Key = "sealing.key";

    /// <summary>It does not open. One answer for a wrong key, a changed text and a changed tag.</summary>
    public const string NotOpened = "sealing.not-opened";

    /// <summary>Not a JWE, or a header that is not strict JSON.</summary>
    public const string JweForm = "sealing.jwe.form";

    /// <summary>An algorithm that is refused by name, or that is not the key's.</summary>
    public const string JweAlgorithm = "sealing.jwe.algorithm";

    /// <summary>An HPKE text or public key of the wrong length or form.</summary>
    public const string HpkeForm = "sealing.hpke.form";

    /// <summary>A wrapped key of a length that no key wrap has.</summary>
    public const string WrapForm = "sealing.wrap.form";

    /// <summary>Not CMS EnvelopedData of the one form that is read.</summary>
    public const string CmsForm = "sealing.cms.form";

    /// <summary>An algorithm of CMS that is refused.</summary>
    public const string CmsAlgorithm = "sealing.cms.algorithm";

    /// <summary>Not a sealed file, or a header that is not canonical.</summary>
    public const string PackForm = "sealing.pack.form";

    /// <summary>Another file than the one that is expected, by its id.</summary>
    public const string PackId = "sealing.pack.id";

    /// <summary>Sealed to other keys.</summary>
    public const string PackRecipient = "sealing.pack.recipient";

    /// <summary>Shorter or longer than its header says.</summary>
    public const string PackLength = "sealing.pack.length";

    /// <summary>A chunk that is not this file's at this place.</summary>
    public const string PackChunk = "sealing.pack.chunk";

    /// <summary>The source that is being sealed changed its length.</summary>
    public const string SourceChanged = "sealing.source.changed";

    internal static SealingFault NotThisKey { get; } = new(NotOpened, "it does not open: it was sealed to another key, or it was changed", "ask for it again, sealed to this key");
}
