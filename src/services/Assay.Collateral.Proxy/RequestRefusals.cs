using System.Diagnostics.Metrics;
using Assay.Collateral.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Assay.Collateral.Proxy;

/// <summary>Counts requests that were refused by the last word of their problem's type, and logs floods and malformed requests once a minute.</summary>
internal sealed partial class RequestRefusals
{
    /// <summary>The name by which OpenTelemetry and others find the meter.</summary>
    public const string MeterName = "Assay.Collateral.Proxy";

    private readonly ILogger _logger;
    private readonly LogThrottle _throttle;
    private readonly Counter<long> _refusals;

    public RequestRefusals(ILogger<RequestRefusals> logger, IMeterFactory meters, TimeProvider time)
    {
        (_logger, _throttle) = (logger, new LogThrottle(time));
        _refusals = meters.Create(MeterName).CreateCounter<long>("assay.collateral.proxy.refusals", description: "Requests refused, by the last word of the problem's type.");
    }

    public void Count(HttpContext context, string type)
    {
        _refusals.Add(1, new KeyValuePair<string, object?>("type", type));
        // The others are no news: nothing is at an address, or the cache has told why it has nothing.
        if (type is not (Refusal.TooManyRequests or Refusal.Busy or Refusal.BadRequest or Refusal.TooLarge or Refusal.MediaType) || !_throttle.MayWrite(type, out var leftOut))
        {
            return;
        }

        var client = ClientAddress.Of(context.Connection.RemoteIpAddress);
        switch (type)
        {
            case Refusal.TooManyRequests:
                Log.RateExceeded(_logger, client, leftOut);
                break;
            case Refusal.Busy:
                Log.ServerBusy(_logger, leftOut);
                break;
            default:
                // Without the query, which may name a platform.
                Log.RequestMalformed(_logger, LogText.Of(context.Request.Method), LogText.Of(context.Request.Path.Value), client, type, leftOut);
                break;
        }
    }
}
