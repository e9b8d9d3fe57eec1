using System.Collections.Immutable;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Assay.Guest.Configuration;

namespace Assay.Guest.Agent;

/// <summary>Who is at the other end of a unix socket, as the kernel noted it when it connected (unix(7)).</summary>
/// <param name="User">Its user.</param>
/// <param name="Groups">Its group, and its supplementary ones.</param>
internal sealed record PeerCredentials(uint User, ImmutableArray<uint> Groups)
{
    // SOL_SOCKET, SO_PEERCRED and SO_PEERGROUPS of x86-64 and arm64.
    private const int SocketLevel = 1;
    private const int Credentials = 17;
    private const int SupplementaryGroups = 59;
    private const int MostGroups = 64;

    /// <summary>The peer's; null where the kernel does not say, and then nobody is served.</summary>
    public static PeerCredentials? Of(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        // struct ucred: process, user, group. The process may be another by now, and decides nothing.
        Span<byte> told = stackalloc byte[3 * sizeof(uint)];
        try
        {
            if (socket.GetRawSocketOption(SocketLevel, Credentials, told) != told.Length)
            {
                return null;
            }

            var numbers = MemoryMarshal.Cast<byte, uint>(told);
            return new PeerCredentials(numbers[1], [numbers[2], .. GroupsOf(socket)]);
        }
        catch (SocketException)
        {
            return null;
        }
    }

    /// <summary>Root, this very user, and whom the measured configuration names.</summary>
    public bool MayAsk(AgentSetting setting) => User == 0 || User == NativeMethods.EffectiveUser() || setting.Users.Contains(User) || setting.Groups.Any(group => Groups.Contains(group));

    private static uint[] GroupsOf(Socket socket)
    {
        Span<byte> told = stackalloc byte[MostGroups * sizeof(uint)];
        try
        {
            return MemoryMarshal.Cast<byte, uint>(told[..socket.GetRawSocketOption(SocketLevel, SupplementaryGroups, told)]).ToArray();
        }
        catch (SocketException)
        {
            // More groups than fit, or an old kernel: only its own group counts.
            return [];
        }
    }

    private static class NativeMethods
    {
        [DllImport("libc", EntryPoint = "geteuid")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern uint EffectiveUser();
    }
}
