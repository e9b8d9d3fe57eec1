using System.Runtime.CompilerServices;
using System.Runtime.Versioning;

// Confidential VMs with GPUs run Linux, and so does everything that is asked here.
[assembly: SupportedOSPlatform("linux")]

// What crosses to foreign code is laid out by hand.
[assembly: DisableRuntimeMarshalling]
