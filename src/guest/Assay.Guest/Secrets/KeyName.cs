namespace Assay.Guest.Secrets;

/// <summary>How keys are called, in the agent and in the TPM.</summary>
internal static class KeyName
{
    private const int Longest = 32;

    /// <exception cref="GuestException"><c>agent.key</c>.</exception>
    public static void Require(string name)
    {
        if (name.Length is 0 or > Longest || name.Any(letter => !char.IsAsciiLetterLower(letter) && !char.IsAsciiDigit(letter) && letter != '-'))
        {
            throw new GuestException("agent.key", $"a key's name has 1 to {Longest} small letters, digits and hyphens; a key from outside is never taken", "give the name of a key, which is made when it is first named");
        }
    }
}
