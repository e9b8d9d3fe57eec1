using Assay.Guest;

return await GuestCommandLine.RunAsync(args, CancellationToken.None).ConfigureAwait(false);
