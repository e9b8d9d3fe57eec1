using System.Net.Sockets;
using System.Text;

namespace Assay.Guest.Gate;

/// <summary>
/// The service manager is told that the gate is open (sd_notify(3)). Its socket is the one thing that the guest takes from the environment:
/// nothing is read from it, and nothing depends on it but when systemd starts what comes after.
/// </summary>
internal sealed class Notification(string? socket)
{
    /// <summary>The socket that the service manager named, if one did.</summary>
    public static Notification OfServiceManager { get; } = new(Environment.GetEnvironmentVariable("NOTIFY_SOCKET"));

    /// <summary>Says READY=1.</summary>
    /// <exception cref="GuestException">A service manager waits, and cannot be reached.</exception>
    public void Ready(string status) => Send($"READY=1\nSTATUS={status}");

    /// <summary>Says what is being done.</summary>
    public void Status(string status) => Send($"STATUS={status}");

    private void Send(string message)
    {
        if (string.IsNullOrEmpty(socket))
        {
            return;
        }

        try
        {
            using var datagram = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            // An abstract name is written with an at sign in the place of its zero byte.
            datagram.Connect(new UnixDomainSocketEndPoint(socket[0] == '@' ? $"\0{socket[1..]}" : socket));
            datagram.Send(Encoding.UTF8.GetBytes(message));
        }
        catch (Exception exception) when (exception is SocketException or ArgumentException)
        {
            throw new GuestException("gate.notify", $"the service manager could not be told: {exception.Message}", "start the gate by its unit, with Type=notify");
        }
    }
}
