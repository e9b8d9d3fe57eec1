using System.Collections.Immutable;
using Assay.Service.Log;

namespace Assay.Broker;

/// <summary>The kinds of entries in the log: docs/reference/broker.md.</summary>
internal static class BrokerEntries
{
    public const string Create = "key.create";
    public const string Rotate = "key.rotate";
    public const string Policy = "key.policy";
    public const string State = "key.state";
    public const string Freeze = "key.freeze";
    public const string Unfreeze = "key.unfreeze";
    public const string Release = "key.release";
    public const string Repeated = "key.denials";
    public const string Encrypt = "key.encrypt";
    public const string Manifest = "manifest.publish";
    public const string Propose = "approval.propose";
    public const string Refuse = "approval.refuse";
    public const string Withdraw = "approval.withdraw";
    public const string Start = LogWitnesses.StartKind;

    public static ImmutableArray<string> All { get; } = [Create, Rotate, Policy, State, Freeze, Unfreeze, Release, Repeated, Encrypt, Manifest, Propose, Refuse, Withdraw, Start];
}
