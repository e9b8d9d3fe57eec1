using System.Globalization;
using System.Net;
using System.Xml.Linq;
using Assay.Server;
using k8s;
using k8s.Models;

namespace Assay.Tests.Service;

/// <summary>deploy/kubernetes and deploy/container: what they say, against the server and against one another. Neither an engine of containers nor a cluster is asked.</summary>
public sealed class DeployTests
{
    private const string Config = "/etc/assay/server.json";

    private static readonly object[] s_manifests = [.. Directory.EnumerateFiles(Path.Combine(Repository.Root, "deploy", "kubernetes"), "*.yaml").Order(StringComparer.Ordinal).SelectMany(file => Read(File.ReadAllText(file)))];
    private static readonly string s_containerfile = File.ReadAllText(Path.Combine(Repository.Root, "deploy", "container", "Containerfile"));

    private static V1PodTemplateSpec Template => One<V1Deployment>().Spec.Template;

    private static V1Container Container => Assert.Single(Template.Spec.Containers);

    [Fact]
    public void Manifests_have_only_members_that_Kubernetes_knows()
    {
        Assert.Equal(
            ["V1ConfigMap", "V1Deployment", "V1Namespace", "V1NetworkPolicy", "V1PodDisruptionBudget", "V1Service"],
            s_manifests.Select(manifest => manifest.GetType().Name).Order(StringComparer.Ordinal));
        Assert.All(s_manifests.OfType<IMetadata<V1ObjectMeta>>().Where(manifest => manifest is not V1Namespace), manifest => Assert.Equal(One<V1Namespace>().Metadata.Name, manifest.Metadata.NamespaceProperty));
        // The reader is strict: a member with another letter is refused.
        Assert.ThrowsAny<Exception>(() => Read("apiVersion: v1\nkind: Namespace\nmetadata:\n  nane: assay\n"));
    }

    [Fact]
    public void The_server_reads_its_configuration_and_finds_each_file_of_it_in_a_volume()
    {
        var folder = Directory.CreateTempSubdirectory("assay-deploy-").FullName;
        try
        {
            var configuration = Configuration(folder);

            Assert.Equal(Container.Ports.ToDictionary(port => port.Name, port => port.ContainerPort), new Dictionary<string, int> { ["https"] = Assert.Single(configuration.Listen).Port, ["management"] = configuration.Management!.Port });
            Assert.All(configuration.Listen.Append(configuration.Management), end => Assert.Equal(IPAddress.Any, end!.Address));
            Assert.Equal("from the Secret", configuration.Options.Database);
            var options = configuration.Options;
            var places = Container.VolumeMounts.Select(mount => folder + mount.MountPath).ToArray();
            Assert.All([options.Kek.File!, options.Tls!.Certificate, options.Tls.Key, options.Collateral.Folder!, .. options.Attestation.Policies.Select(policy => policy.File)], path => Assert.Contains(places, place => path.StartsWith(place + "/", StringComparison.Ordinal)));
            // What is written to is a volume that may be, and the key comes from the container before.
            Assert.DoesNotContain(Container.VolumeMounts, mount => mount.ReadOnlyProperty is true && (folder + mount.MountPath) == Path.GetDirectoryName(options.Collateral.Folder));
            Assert.Equal(["init-key", options.Kek.File![folder.Length..], "--from", "/etc/assay/kek/kek"], Assert.Single(Template.Spec.InitContainers).Args);
            Assert.Equal(["run", "--config", Config], Container.Args);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_stop_has_the_time_that_the_drain_takes()
    {
        var folder = Directory.CreateTempSubdirectory("assay-deploy-").FullName;
        try
        {
            var drain = Configuration(folder).Options.Drain;
            Assert.InRange(Template.Spec.TerminationGracePeriodSeconds!.Value, drain.NotReadySeconds + drain.RequestSeconds + 5, 120);
            // /readyz says no for long enough that two probes see it.
            Assert.True(Container.ReadinessProbe.PeriodSeconds * Container.ReadinessProbe.FailureThreshold <= drain.NotReadySeconds);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Probes_ask_the_management_port_and_a_database_that_is_away_kills_no_process()
    {
        V1Probe[] probes = [Container.StartupProbe, Container.LivenessProbe, Container.ReadinessProbe];

        Assert.All(probes, probe => Assert.Equal("management", probe.HttpGet.Port.Value));
        Assert.Equal(["/healthz", "/healthz", "/readyz"], probes.Select(probe => probe.HttpGet.Path));
    }

    [Fact]
    public void Pods_may_do_nothing_that_the_restricted_standard_forbids()
    {
        Assert.Equal("restricted", One<V1Namespace>().Metadata.Labels["pod-security.kubernetes.io/enforce"]);
        var pod = Template.Spec.SecurityContext;
        Assert.Equal((true, "RuntimeDefault"), (pod.RunAsNonRoot, pod.SeccompProfile.Type));
        Assert.Equal($"{pod.RunAsUser}:{pod.RunAsGroup}", Instructions("USER").Single());
        Assert.False(Template.Spec.AutomountServiceAccountToken);
        Assert.All([.. Template.Spec.InitContainers, Container], container =>
        {
            var security = container.SecurityContext;
            Assert.Equal((false, true, null), (security.AllowPrivilegeEscalation, security.ReadOnlyRootFilesystem, security.Privileged));
            Assert.Equal(["ALL"], security.Capabilities.Drop);
            Assert.Null(security.Capabilities.Add);
            Assert.Equal(["cpu", "memory"], container.Resources.Requests.Keys.Order(StringComparer.Ordinal));
            Assert.Contains("memory", container.Resources.Limits.Keys);
            // No secret in the text, and no volume that is not there.
            Assert.All(container.Env ?? [], variable => Assert.Null(variable.Value));
            Assert.All(container.VolumeMounts, mount => Assert.Contains(Template.Spec.Volumes, volume => volume.Name == mount.Name));
            Assert.Equal(Container.Image, container.Image);
        });
        // The Secret of the key encryption key is in the container that copies it alone.
        Assert.DoesNotContain(Container.VolumeMounts, mount => mount.Name == "kek-secret");
        // Octal 440: not read as the decimal number.
        Assert.All(Template.Spec.Volumes.Where(volume => volume.Secret is not null), volume => Assert.Equal(Convert.ToInt32("440", 8), volume.Secret.DefaultMode));
        Assert.Equal("Memory", Template.Spec.Volumes.Single(volume => volume.Name == "run").EmptyDir.Medium);
    }

    [Fact]
    public void Service_budget_and_policy_are_about_these_pods_and_their_ports()
    {
        var labels = Template.Metadata.Labels;
        var ports = Container.Ports.Select(port => port.Name).ToArray();
        var (service, budget, policy) = (One<V1Service>(), One<V1PodDisruptionBudget>(), One<V1NetworkPolicy>());

        foreach (var selector in new[] { One<V1Deployment>().Spec.Selector.MatchLabels, service.Spec.Selector, budget.Spec.Selector.MatchLabels, policy.Spec.PodSelector.MatchLabels })
        {
            Assert.Equal(selector, labels);
        }

        Assert.Equal(2, One<V1Deployment>().Spec.Replicas);
        Assert.Equal("1", budget.Spec.MinAvailable.Value);
        // Metrics are in no Service, and each port of the policy is one of the pod's.
        Assert.Equal("https", Assert.Single(service.Spec.Ports).TargetPort.Value);
        Assert.Equal(["Ingress", "Egress"], policy.Spec.PolicyTypes);
        Assert.Equal(ports, policy.Spec.Ingress.Select(rule => Assert.Single(rule.Ports).Port.Value));
        var (clients, monitoring) = (Assert.Single(policy.Spec.Ingress[0].FromProperty), Assert.Single(policy.Spec.Ingress[1].FromProperty));
        Assert.True(clients.PodSelector.MatchLabels.Count > 0 && clients.NamespaceSelector.MatchLabels.Count > 0);
        Assert.Equal("monitoring", monitoring.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"]);
        // DNS, database, proxy of collateral: nothing is open to any address.
        Assert.Equal(["53 53", "5432", "8443"], policy.Spec.Egress.Select(rule => string.Join(' ', rule.Ports.Select(port => port.Port.Value))));
        Assert.All(policy.Spec.Egress, rule => Assert.True(Assert.Single(rule.To).PodSelector.MatchLabels.Count > 0));
    }

    [Fact]
    public void The_image_is_made_of_what_the_checkout_has_and_runs_what_is_published()
    {
        string[] stages = [.. Instructions("FROM")];
        Assert.Equal(["${REGISTRY}/dotnet/sdk:10.0-noble AS build", "${REGISTRY}/dotnet/aspnet:10.0-noble-chiseled"], stages);
        Assert.NotEmpty(Sources());
        Assert.All(Sources(), path => Assert.True(Path.Exists(Path.Combine(Repository.Root, path)), path));
        Assert.Equal("""["dotnet", "/app/assay-server.dll"]""", Instructions("ENTRYPOINT").Single());
        Assert.Equal($"""["run", "--config", "{Config}"]""", Instructions("CMD").Single());
        Assert.Equal(string.Join(' ', Container.Ports.Select(port => port.ContainerPort.ToString(CultureInfo.InvariantCulture))), Instructions("EXPOSE").Single());
        Assert.NotEqual("0", Instructions("USER").Single().Split(':')[0]);
    }

    // Bug 305: the broker compiled a file of the command line's, and only the long test below noticed that no image could be built.
    [Fact]
    public void No_project_that_the_image_builds_takes_a_file_from_outside_of_what_it_copies()
    {
        string[] copied = [.. Sources().Select(path => Path.GetFullPath(path, Repository.Root))];
        var projects = copied.Where(Directory.Exists).SelectMany(folder => Directory.EnumerateFiles(folder, "*.csproj", SearchOption.AllDirectories)).ToArray();

        var outside = projects.SelectMany(project => XDocument.Load(project).Descendants()
            .SelectMany(item => new[] { item.Attribute("Include"), item.Attribute("Project") }).OfType<XAttribute>().Where(attribute => attribute.Value.Contains('/', StringComparison.Ordinal))
            .Select(attribute => Path.GetFullPath(attribute.Value, Path.GetDirectoryName(project)!))
            .Where(path => !copied.Any(place => path == place || path.StartsWith(place + "/", StringComparison.Ordinal)))
            .Select(path => $"{Path.GetFileName(project)}: {path}"));

        Assert.NotEmpty(projects);
        Assert.Empty(outside);
    }

    /// <summary>As the image builds it: from the files that it copies and no others, under the lock files.</summary>
    [Fact]
    [Trait("Category", "Soak")]
    public void What_the_image_copies_is_enough_to_publish_the_server()
    {
        var folder = Directory.CreateTempSubdirectory("assay-image-").FullName;
        try
        {
            foreach (var path in Sources())
            {
                var answer = Peer.Require("sh").Run("-c", $"cd '{Repository.Root}' && git ls-files -z '{path}' | xargs -0 cp --parents -t '{folder}'");
                Assert.True(answer.Accepted, answer.Output);
            }

            var publish = Assert.Single(Instructions("RUN"), line => line.StartsWith("dotnet publish ", StringComparison.Ordinal)).Replace("-o /app", $"-o '{folder}/app'", StringComparison.Ordinal);
            var built = Peer.Require("sh").Run("-c", $"cd '{folder}' && env -u MSBuildSDKsPath CI=true {publish} -v quiet");
            Assert.True(built.Accepted, built.Output);
            var ran = Peer.Require("dotnet").Run(Path.Combine(folder, "app", "assay-server.dll"), "init-key", Path.Combine(folder, "kek"));
            Assert.True(ran.Accepted, ran.Output);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static List<object> Read(string yaml) => KubernetesYaml.LoadAllFromString(yaml, strict: true);

    private static T One<T>() => Assert.Single(s_manifests.OfType<T>());

    // Below a folder, with the files that volumes would have.
    private static ServerConfiguration Configuration(string folder)
    {
        var text = One<V1ConfigMap>().Data[Path.GetFileName(Config)];
        foreach (var place in (string[])["/etc/assay", "/run/assay", "/var/lib/assay"])
        {
            text = text.Replace($"\"{place}", $"\"{folder}{place}", StringComparison.Ordinal);
        }

        var path = folder + Config;
        Directory.CreateDirectory(folder + "/etc/assay/tls");
        File.WriteAllText(folder + "/etc/assay/tls/tls.crt", "");
        File.WriteAllText(folder + "/etc/assay/tls/tls.key", "");
        File.WriteAllText(path, text);
        var variables = Container.Env.Where(variable => variable.ValueFrom?.SecretKeyRef is not null).ToDictionary(variable => variable.Name, _ => "from the Secret");
        Assert.True(ServerConfiguration.TryRead(path, name => variables.GetValueOrDefault(name), out var configuration, out var faults), string.Join('\n', faults));
        return configuration;
    }

    private static IEnumerable<string> Instructions(string word) => s_containerfile.Split('\n').Where(line => line.StartsWith(word + " ", StringComparison.Ordinal)).Select(line => line[(word.Length + 1)..]);

    // Of COPY out of the checkout, without the last word, which is where to.
    private static IEnumerable<string> Sources() => Instructions("COPY").Where(line => !line.StartsWith("--", StringComparison.Ordinal)).SelectMany(line => line.Split(' ')[..^1]);
}
