using System.Runtime.Versioning;

// Confidential VMs with GPUs run Linux, and so does everything that is asked here.
[assembly: SupportedOSPlatform("linux")]
