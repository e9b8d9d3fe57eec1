namespace Assay.Client.AspNetCore;

/// <summary>Every line of this library's log. Ids are permanent; those of the collateral proxy end at 1399.</summary>
internal static class EventIds
{
    /// <summary>A client is refused, or refuses, or does not speak the channel.</summary>
    public const int ChannelRefused = 1401;

    /// <summary>A client went away.</summary>
    public const int ConnectionGone = 1402;
}
