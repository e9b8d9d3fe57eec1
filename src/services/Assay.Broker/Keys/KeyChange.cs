namespace Assay.Broker.Keys;

/// <summary>What came of a change of a key.</summary>
/// <param name="WhyNot">As the log has it; empty: it was done.</param>
public sealed record KeyChange(string WhyNot)
{
    /// <summary>The tenant has no such key.</summary>
    public const string NoSuchKey = "no such key";

    /// <summary>It is at another revision.</summary>
    public const string ChangedBetween = "changed in between";

    /// <summary>Two persons are needed, or the approval is used up.</summary>
    public const string NotApproved = "not approved";

    /// <summary>A key that others are derived from needs a longer secret.</summary>
    public const string SecretTooShort = "secret-too-short";

    /// <summary>Whether it was done.</summary>
    public bool IsDone => WhyNot.Length == 0;

    /// <summary>What a key in a state says to a change that the state does not allow.</summary>
    public static string OfState(string state) => state switch
    {
        KeyStore.Destroying => "the key is being destroyed: until its secrets are deleted, disabling takes it back, and nothing else can be done",
        KeyStore.Destroyed => "the key is destroyed: it has no secret any more, and stays as it is. Make another one, with another name",
        _ => $"the key is {state}",
    };
}

/// <summary>A version to come.</summary>
/// <param name="Secret">The caller wipes it.</param>
/// <param name="IsImported">Whether its owner brought it along.</param>
public sealed record NewVersion(byte[] Secret, bool IsImported);

/// <summary>A release policy as it was set.</summary>
/// <param name="Key">Of which key.</param>
/// <param name="Version">Which one, from 1.</param>
/// <param name="Digest">SHA-384 of the text in UTF-8, as the log has it.</param>
/// <param name="Revision">The key's, to be named by who changes it.</param>
/// <param name="Text">The policy, JSON.</param>
public sealed record PolicyAnswer(string Key, long Version, string Digest, long Revision, string Text);
