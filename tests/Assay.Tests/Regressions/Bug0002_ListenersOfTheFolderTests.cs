using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Assay.Tests.Regressions;

/// <summary>2: an appsettings.json in the folder, or a variable, made <c>assay-sim serve</c> listen to the whole world (S-12).</summary>
public sealed class Bug0002_ListenersOfTheFolderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-listeners-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Neither_a_file_of_the_folder_nor_a_variable_opens_another_listener(bool byFile)
    {
        Peer.Require("dotnet");
        var url = $"http://0.0.0.0:{FreePort()}";
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "assay-sim.dll"), "serve", "--gpus", "1", "--switches", "0"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder,
        };
        if (byFile)
        {
            File.WriteAllText(Path.Combine(_folder, "appsettings.json"), "{\"Kestrel\":{\"Endpoints\":{\"World\":{\"Url\":\"" + url + "\"}}}}");
        }
        else
        {
            start.Environment["Kestrel__Endpoints__World__Url"] = url;
            start.Environment["ASPNETCORE_URLS"] = url;
        }

        using var process = Process.Start(start)!;
        try
        {
            // It says where it listens once it does.
            Assert.Contains("on http://127.0.0.1:", process.StandardOutput.ReadLine() ?? process.StandardError.ReadToEnd(), StringComparison.Ordinal);
            using var client = new TcpClient();
            Assert.Throws<SocketException>(() => client.Connect(IPAddress.Loopback, new Uri(url).Port));
        }
        finally
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
