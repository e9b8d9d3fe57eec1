using Assay.Service.Audit;

namespace Assay.Broker.Release;

/// <summary>
/// What is handed over where it is not the key's own secret: made of the secret before the decision, so that the log says released only of what could be made.
/// It decides nothing else: policy, freezes, states and the recipient are the road's.
/// </summary>
internal abstract class ReleaseContent
{
    /// <summary>The use that the key must have been made for: <see cref="Keys.KeyRecord.Use"/>.</summary>
    public abstract string Use { get; }

    /// <summary>The version whose secret it is made of; null: the one that is released now. A later one than that is <see cref="Unmade"/>.</summary>
    public virtual long? Version => null;

    /// <summary>Why it cannot be made, a word for the log.</summary>
    public abstract string Unmade { get; }

    /// <summary>Makes it; null if it cannot be made. The caller wipes the secret and what is made.</summary>
    public abstract byte[]? Make(byte[] secret, SecretName name);

    /// <summary>Adds to the entry of the log what was asked for; nothing secret.</summary>
    public abstract AuditEvent Tell(AuditEvent entry);
}
