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
/// The files of bundles that a running server was started with, and of the keys that may sign them: what is written in their place is verified like the
/// first one, under the keys as they are now, and then taken in. One that is refused changes nothing, and is logged. Safe for concurrent use.
/// </summary>
public sealed class BundleWatch : IAsyncDisposable
{
    private static readonly TimeSpan s_between = TimeSpan.FromSeconds(5);

    private readonly CollateralCache _cache;
    private readonly ItemVerification _verification;
    private readonly BundleSigners _signers;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Watched[] _files;
    private readonly Watched[] _keys;
    private readonly Lock _lock = new();
    private readonly ITimer? _timer;

    /// <param name="files">Their paths, and the bytes that were taken in already.</param>
    /// <param name="cache">What takes them in.</param>
    /// <param name="verification">The verifier of the cache.</param>
    /// <param name="signers">By whom and from which sequence on they are accepted. The time is the clock's.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Where it tells what came of a new one.</param>
    /// <param name="looks">Whether it looks by itself, every five seconds.</param>
    public BundleWatch(
        IEnumerable<(string Path, ReadOnlyMemory<byte> Taken)> files, CollateralCache cache, ItemVerification verification, BundleSigners signers, TimeProvider time, ILogger<BundleWatch> logger, bool looks = true)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(verification);
        ArgumentNullException.ThrowIfNull(signers);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentNullException.ThrowIfNull(logger);
        (_cache, _verification, _signers, _time, _logger) = (cache, verification, signers, time, logger);
        var expected = signers.Read().Expected;
        _files = [.. files.Select(file => new Watched(file.Path) { Judged = expected is null ? null : Under(file.Taken, expected) })];
        _keys = [.. signers.Files.Select(file => new Watched(file))];
        _timer = looks ? time.CreateTimer(_ => Look(), null, s_between, s_between) : null;
    }

    /// <summary>Looks whether a file was replaced. One that is still being written is left until two looks find it the same.</summary>
    public void Look()
    {
        // Each is looked at: what one says must not hide another's change.
        var areKeysNew = false;
        foreach (var keys in _keys)
        {
            areKeysNew |= keys.HasSettled();
        }

        ForEach(file => file.HasSettled() | areKeysNew);
    }

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
            CollateralLog.BundleRefused(_logger, name, LogText.Of(unreadable));
            return;
        }

        var (signers, whyNot) = _signers.Read();
        if (signers is null)
        {
            TryAgain(file);
            CollateralLog.BundleRefused(_logger, name, LogText.Of($"the keys that may sign it cannot be read: {whyNot}"));
            return;
        }

        var judged = Under(bytes, signers);
        if (judged == file.Judged)
        {
            return;
        }

        file.Judged = judged;
        var expected = signers with { Time = new EvaluationTime(_time.GetUtcNow(), TimeSource.System) };
        try
        {
            if (VerifiedBundle.TryVerify(bytes, expected, _verification, out var bundle, out var fault) && _cache.TryImport(bundle, Path.GetFileName(file.Path), out var import, out fault))
            {
                CollateralLog.BundleTaken(_logger, name, bundle.Manifest.Sequence, import.Taken, import.Passed.Length, Utc.Text(bundle.Manifest.GoodUntil), LogText.Of(BundleEnd.FirstOf([.. bundle.Items])));
            }
            else
            {
                CollateralLog.BundleRefused(_logger, name, LogText.Of(fault!.ToString()));
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // What is on disk decides after a restart: the bundle is tried again at the next look. Nothing may end the server from a timer.
            file.Judged = null;
            file.TryAgain();
            CollateralLog.BundleRefused(_logger, name, LogText.Of($"it cannot be written to disk: {exception.Message}"));
        }
    }

    private void TryAgain(Watched file)
    {
        file.TryAgain();
        foreach (var keys in _keys)
        {
            keys.TryAgain();
        }
    }

    // A bundle that was refused is judged again when the keys are others, and so is one that was taken in.
    private static string Under(ReadOnlyMemory<byte> bundle, BundleExpectations expected) =>
        $"{new Digest(SHA256.HashData(bundle.Span))} {expected.Threshold} {expected.MinimumSequence} {string.Join(' ', expected.Keys.Keys.Select(key => key.Thumbprint).Order(StringComparer.Ordinal))}";

    private sealed class Watched(string path)
    {
        private (DateTime Written, long Length) _seen = StampOf(path);
        // Nothing yet: the file may have been replaced since its first bytes were read. The digest tells that it was not.
        private (DateTime Written, long Length) _read;

        public string Path => path;

        /// <summary>The bytes that were judged last and the keys, whatever came of them; null for none.</summary>
        public string? Judged { get; set; }

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
