using System.Runtime.Versioning;

// The guest runs on Linux alone, and its tests with it.
[assembly: SupportedOSPlatform("linux")]
