using System.Text;
using Assay.Collateral.Files;

namespace Assay.Guest.Agent;

/// <summary>The credential for a service outside, in a file of one line.</summary>
internal static class ServiceCredential
{
    private const int Largest = 8 * 1024;

    /// <summary>Reads it. Each time anew: it is brought to this VM at run time, and may be replaced.</summary>
    /// <exception cref="GuestException">It cannot be read, or is no API key.</exception>
    public static string Read(string path)
    {
        if (!BoundedFile.TryRead(path, Largest, out var bytes, out var whyNot))
        {
            throw new GuestException("agent.credential", whyNot, "put the service's API key there, readable for the agent");
        }

        // RFC 6750 §2.1.
        var key = Encoding.ASCII.GetString(bytes.Span).Trim();
        return key.Length > 0 && key.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_' or '~' or '+' or '/' or '=') ? key
            : throw new GuestException("agent.credential", $"{path} holds no API key", "put the service's API key there, on one line");
    }
}
