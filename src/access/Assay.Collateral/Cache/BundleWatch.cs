using System.Security.Cryptography;
using Assay.Checks;
using Assay.Collateral.Bundles;
using Assay.Collateral.Diagnostics;
using Assay.Collateral.Files;
using Assay.Endorsements;
using Assay.Wire;
using Microsoft.Extensions.Logging;

namespace Assay.Collateral.Cache;

/// <summary>
/// The files of bundles that a running server was started with: what is written in their place is verified like the first one and then taken
/// in. One that is refused changes nothing, and is logged. Safe for concurrent use.
/// </summary>
public sealed partial class BundleWatch : IAsyncDisposable
{
    private static readonly TimeSpan s_between = TimeSpan.FromSeconds(5);

    private readonly CollateralCache _cache;
    private readonly ItemVerification _verification;
    private readonly BundleExpectations _expected;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Watched[] _files;
    private readonly Lock _lock = new();
    private readonly ITimer? _timer;

    /// <param name="files">Their paths, and the bytes that were taken in already.</param>
    /// <param name="cache">What takes them in.</param>
    /// <param name="verification">The verifier of the cache.</param>
    /// <param name="expected">By whom and from which sequence on they are accepted. The time is the clock's.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Where it tells what came of a new one.</param>
    /// <param name="looks">Whether it looks by itself, every five seconds.</param>
    public BundleWatch(
        IEnumerable<(string Path, ReadOnlyMemory<byte> Taken)> files, CollateralCache cache, ItemVerification verification, BundleExpectations expected, TimeProvider time, ILogger<BundleWatch> logger, bool looks = true)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(verification);
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentNullException.ThrowIfNull(logger);
        (_cache, _verification, _expected, _time, _logger) = (cache, verification, expected, time, logger);
        _files = [.. files.Select(file => new Watched(file.Path, new Digest(SHA256.HashData(file.Taken.Span))))];
        _timer = looks ? time.CreateTimer(_ => Look(), null, s_between, s_between) : null;
    }

    /// <summary>Looks whether a file was replaced. One that is still being written is left until two looks find it the same.</summary>
    public void Look() => ForEach(static file => file.HasSettled());

    /// <summary>Reads every file now, whatever its time says: the operator asked for it.</summary>
    public void Reload() => ForEach(static _ => true);

    /// <summary>Looks no more.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_timer is not null)
        {
            await _timer.DisposeAsync().ConfigureAwait(false);
        }
    }

    private void ForEach(Func<Watched, bool> isDue)
    {
        lock (_lock)
        {
            foreach (var file in _files)
            {
                if (isDue(file))
                {
                    Take(file);
                }
            }
        }
    }

    private void Take(Watched file)
    {
        var name = LogText.Of(file.Path);
        if (!BoundedFile.TryRead(file.Path, Limits.BundleBytes, out var bytes, out var unreadable))
        {
            file.TryAgain();
            Log.BundleRefused(_logger, name, LogText.Of(unreadable));
            return;
        }

        var digest = new Digest(SHA256.HashData(bytes.Span));
        if (digest == file.Judged)
        {
            return;
        }

        file.Judged = digest;
        var expected = _expected with { Time = new EvaluationTime(_time.GetUtcNow(), TimeSource.System) };
        try
        {
            if (VerifiedBundle.TryVerify(bytes, expected, _verification, out var bundle, out var fault) && _cache.TryImport(bundle, Path.GetFileName(file.Path), out var import, out fault))
            {
                Log.BundleTaken(_logger, name, bundle.Manifest.Sequence, import.Taken, import.Passed.Length, Utc.Text(bundle.Manifest.GoodUntil), LogText.Of(BundleEnd.FirstOf([.. bundle.Items])));
            }
            else
            {
                Log.BundleRefused(_logger, name, LogText.Of(fault!.ToString()));
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // What is on disk decides after a restart: the bundle is tried again at the next look. Nothing may end the server from a timer.
            file.Judged = default;
            file.TryAgain();
            Log.BundleRefused(_logger, name, LogText.Of($"the disk does not take it: {exception.Message}"));
        }
    }

    private sealed class Watched(string path, Digest judged)
    {
        private (DateTime Written, long Length) _seen = StampOf(path);
        // Nothing yet: the file may have been replaced since its first bytes were read. The digest tells that it was not.
        private (DateTime Written, long Length) _read;

        public string Path => path;

        /// <summary>The bytes that were judged last, whatever came of them.</summary>
        public Digest Judged { get; set; } = judged;

        public void TryAgain() => _read = default;

        public bool HasSettled()
        {
            var now = StampOf(path);
            var isSettled = now == _seen && now != _read && now != default;
            _seen = now;
            _read = isSettled ? now : _read;
            return isSettled;
        }

        private static (DateTime Written, long Length) StampOf(string path)
        {
            try
            {
                // Of what a link leads to: mounted volumes swap links.
                var file = new FileInfo(path);
                var target = file.ResolveLinkTarget(returnFinalTarget: true) ?? file;
                return target.Exists ? (target.LastWriteTimeUtc, ((FileInfo)target).Length) : default;
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                return default;
            }
        }
    }
}
