namespace Assay.Service;

/// <summary>The service cannot start, or an outside part that it needs does not answer. The message says what to do.</summary>
/// <param name="id">Permanent: docs/troubleshooting/service.md lists it.</param>
/// <param name="message">What was found, what was expected, what to do.</param>
/// <param name="cause">What was thrown; null where nothing was.</param>
public sealed class ServiceException(string id, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>Which fault it is.</summary>
    public string Id => id;
}
