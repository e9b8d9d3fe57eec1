using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Assay.Tests.Tpm;

/// <summary>
/// A software TPM of its own for one test: swtpm on two neighbouring loopback ports, its state in a temporary folder, spoken to by
/// tpm2-tools. It ends with the test.
/// </summary>
internal sealed class Swtpm : IDisposable
{
    private readonly Process _process;

    private Swtpm(Process process, string folder, int port)
    {
        (_process, Folder, Port) = (process, folder, port);
        Tcti = string.Create(CultureInfo.InvariantCulture, $"swtpm:host=127.0.0.1,port={port}");
    }

    /// <summary>How the tools reach it.</summary>
    public string Tcti { get; }

    public string Folder { get; }

    /// <summary>The data socket: raw commands in, raw responses out.</summary>
    public int Port { get; }

    public static Swtpm Start()
    {
        Peer.Require("swtpm");
        Peer.Require("tpm2_quote");
        var folder = Directory.CreateTempSubdirectory("assay-tpm-").FullName;
        for (var attempt = 0; attempt < 5; attempt++)
        {
            var port = FreePair();
            var start = new ProcessStartInfo("swtpm")
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                RedirectStandardInput = true,
                ArgumentList =
                {
                    "socket", "--tpm2", "--tpmstate", $"dir={folder}",
                    "--server", string.Create(CultureInfo.InvariantCulture, $"type=tcp,port={port},bindaddr=127.0.0.1"),
                    "--ctrl", string.Create(CultureInfo.InvariantCulture, $"type=tcp,port={port + 1},bindaddr=127.0.0.1"),
                    "--flags", "not-need-init,startup-clear", "--seccomp", "action=none",
                },
            };
            var process = Process.Start(start)!;
            if (Answers(process, port))
            {
                return new Swtpm(process, folder, port);
            }

            process.Dispose();
        }

        throw new InvalidOperationException("swtpm found no free pair of ports");
    }

    public string At(string file) => Path.Combine(Folder, file);

    public byte[] Read(string file) => File.ReadAllBytes(At(file));

    /// <summary>Runs one of tpm2-tools, then frees what it left loaded: without a resource manager there are three slots.</summary>
    public PeerAnswer Try(string tool, params string[] arguments)
    {
        if (tool is "checkquote")
        {
            // It needs no TPM, and takes none.
            return Peer.Require("tpm2_checkquote").Run(arguments);
        }

        var answer = Peer.Require($"tpm2_{tool}").Run([.. arguments, "-T", Tcti]);
        if (tool is not ("startauthsession" or "policysecret" or "flushcontext"))
        {
            Peer.Require("tpm2_flushcontext").Run("-t", "-T", Tcti);
        }

        return answer;
    }

    public string Run(string tool, params string[] arguments)
    {
        var answer = Try(tool, arguments);
        Assert.True(answer.Accepted, $"tpm2_{tool} {string.Join(' ', arguments)}: {answer.Output}");
        return answer.Output;
    }

    /// <summary>An endorsement key (<c>ek.pub</c>) and an attestation key under it (<c>ak.pub</c>, <c>ak.name</c>), loaded.</summary>
    public void MakeKeys(string type, string scheme)
    {
        Run("createek", "-c", At("ek.ctx"), "-G", type, "-u", At("ek.pub"));
        Run("createak", "-C", At("ek.ctx"), "-c", At("ak.ctx"), "-G", type, "-g", "sha256", "-s", scheme, "-u", At("ak.pub"), "-n", At("ak.name"));
    }

    /// <summary>Activates the credential of a file, as the tools write it, with these keys; the secret is then in <c>secret.out</c>.</summary>
    public PeerAnswer Activate(byte[] credential)
    {
        File.WriteAllBytes(At("cred"), credential);
        Run("startauthsession", "--policy-session", "-S", At("s.ctx"));
        Run("policysecret", "-S", At("s.ctx"), "-c", "e");
        var answer = Try("activatecredential", "-c", At("ak.ctx"), "-C", At("ek.ctx"), "-i", At("cred"), "-o", At("secret.out"), "-P", $"session:{At("s.ctx")}");
        Try("flushcontext", At("s.ctx"));
        return answer;
    }

    /// <summary>The power goes off and on (CMD_INIT on the control socket, TPM2_Startup): PCRs begin anew, persistent keys and NV stay.</summary>
    public void Reset()
    {
        Assert.Equal(new byte[4], Say(Port + 1, [0, 0, 0, 2, 0, 0, 0, 0], 4));
        Assert.Equal(new byte[4], Say(Port, [0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0], 10)[6..]);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private static byte[] Say(int port, byte[] message, int size)
    {
        using var client = new TcpClient();
        client.Connect(IPAddress.Loopback, port);
        var answer = new byte[size];
        client.GetStream().Write(message);
        client.GetStream().ReadExactly(answer);
        return answer;
    }

    private static bool Answers(Process process, int port)
    {
        // On the control port: the data port takes one connection at a time.
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < Patience.Long && !process.HasExited)
        {
            try
            {
                using var client = new TcpClient();
                client.Connect(IPAddress.Loopback, port + 1);
                return true;
            }
            catch (SocketException)
            {
                Thread.Sleep(50);
            }
        }

        if (!process.HasExited)
        {
            process.Kill();
        }

        return false;
    }

    // The tools speak to the control port at the number after the data port.
    private static int FreePair()
    {
        for (var attempt = 0; attempt < 50; attempt++)
        {
            using var first = new TcpListener(IPAddress.Loopback, 0);
            first.Start();
            var port = ((IPEndPoint)first.LocalEndpoint).Port;
            using var second = new TcpListener(IPAddress.Loopback, port + 1);
            try
            {
                second.Start();
                return port;
            }
            catch (SocketException)
            {
                // Somebody has the neighbour; another pair will do.
            }
        }

        throw new InvalidOperationException("no free pair of ports");
    }
}
