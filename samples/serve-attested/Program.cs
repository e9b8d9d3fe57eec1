using System.Net;
using System.Security.Cryptography;
using Assay.Client.AspNetCore;
using Assay.Client.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;

// Add Issuer, the operator's CA, and Names: without them the certificate does not say whose the server is.
using var identities = new ChannelIdentities(new ChannelIdentityOptions { Purpose = "inference", Epoch = RandomNumberGenerator.GetBytes(16), Evidence = new NoMachine() });
var server = new ChannelServer(new ChannelServerOptions { Identities = identities });

var builder = WebApplication.CreateSlimBuilder();
builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseAssayChannel(server)));
await using var app = builder.Build();
app.Run(context => context.Response.Body.WriteAsync("answered"u8.ToArray()).AsTask());
await app.StartAsync();

// Who does not speak the channel gets no answer.
try
{
    using var plain = new HttpClient();
    Console.WriteLine(await plain.GetStringAsync(app.Urls.Single()));
    return 1;
}
catch (HttpRequestException)
{
    Console.WriteLine("plain HTTP gets no answer");
    return 0;
}

// In a confidential VM this makes evidence of devices and processor. This sample runs anywhere, so it tells clients of the channel that it has no evidence.
internal sealed class NoMachine : IChannelEvidenceSource
{
    public Task<ReadOnlyMemory<byte>> MakeAsync(string nonce, ReadOnlyMemory<byte> key, bool byDigest, CancellationToken cancellation) =>
        throw new ChannelException("channel.own-evidence", "this is no confidential VM");
}
