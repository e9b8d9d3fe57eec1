namespace Assay.Policies;

/// <summary>A file of a policy.</summary>
/// <param name="Name">What errors call it.</param>
/// <param name="Bytes">What is in it.</param>
public sealed record PolicyFile(string Name, ReadOnlyMemory<byte> Bytes);
