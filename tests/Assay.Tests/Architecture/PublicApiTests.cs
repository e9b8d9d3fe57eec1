using System.Reflection;
using System.Runtime.CompilerServices;

namespace Assay.Tests.Architecture;

/// <summary>
/// What Assay.Verifier shows to the world, as a text that reviewers see change. Nobody breaks a caller unknowingly.
/// </summary>
public class PublicApiTests
{
    private const BindingFlags Shown = BindingFlags.DeclaredOnly | BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public;

    [Fact]
    public void The_public_API_is_the_one_that_is_written_down()
    {
        var file = Path.Combine(Repository.Root, "src", "core", "Assay.Verifier", "PublicAPI.txt");
        var found = string.Join("\n", Render(typeof(Assay.Wire.Nonce).Assembly)) + "\n";
        if (Environment.GetEnvironmentVariable("ASSAY_UPDATE_API") == "1")
        {
            File.WriteAllText(file, found);
        }

        var written = File.Exists(file) ? File.ReadAllText(file) : "";
        string[] added = [.. found.Split('\n').Except(written.Split('\n'))];
        string[] gone = [.. written.Split('\n').Except(found.Split('\n'))];
        Assert.True(
            found == written,
            $"The public API of Assay.Verifier changed. If that is meant, run the tests once with ASSAY_UPDATE_API=1 and commit src/core/Assay.Verifier/PublicAPI.txt.\n"
            + $"new:\n  {string.Join("\n  ", added)}\ngone:\n  {string.Join("\n  ", gone)}");
    }

    private static SortedSet<string> Render(Assembly assembly)
    {
        var lines = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var type in assembly.GetExportedTypes())
        {
            var name = Name(type);
            lines.Add($"{name} : {Kind(type)}{Bases(type)}");
            if (type.IsEnum)
            {
                lines.UnionWith(type.GetFields(BindingFlags.Public | BindingFlags.Static).Select(field => $"{name}.{field.Name} = {Convert.ToInt64(field.GetRawConstantValue(), System.Globalization.CultureInfo.InvariantCulture)}"));
                continue;
            }

            foreach (var member in type.GetMembers(Shown).Where(member => member is not Type && !IsEmitted(member)))
            {
                lines.Add($"{name}{Member(member)}");
            }
        }

        return lines;
    }

    private static bool IsEmitted(MemberInfo member) =>
        member.Name.Contains('<') || member.IsDefined(typeof(CompilerGeneratedAttribute)) || member is MethodInfo { IsSpecialName: true } method && !method.Name.StartsWith("op_", StringComparison.Ordinal);

    private static string Kind(Type type) =>
        type.IsEnum ? "enum" : type.IsInterface ? "interface" : type.IsValueType ? "struct" : type.IsSubclassOf(typeof(Delegate)) ? "delegate"
        : type is { IsAbstract: true, IsSealed: true } ? "static class" : type.IsSealed ? "sealed class" : type.IsAbstract ? "abstract class" : "class";

    private static string Bases(Type type)
    {
        string[] bases = type.IsEnum ? [] :
        [
            .. type.BaseType is { } above && above != typeof(object) && above != typeof(ValueType) ? new[] { Name(above) } : [],
            .. type.GetInterfaces().Select(Name).Order(StringComparer.Ordinal),
        ];
        return bases.Length == 0 ? "" : " " + string.Join(", ", bases);
    }

    private static string Member(MemberInfo member) => member switch
    {
        ConstructorInfo constructor => $"({Parameters(constructor)})",
        MethodInfo method => $".{method.Name}{Generic(method)}({Parameters(method)}) -> {Static(method)}{Name(method.ReturnType)}{Null(new NullabilityInfoContext().Create(method.ReturnParameter))}",
        PropertyInfo property => $".{property.Name} {{ {Accessors(property)} }} -> {Static(property.GetMethod!)}{Name(property.PropertyType)}{Null(new NullabilityInfoContext().Create(property))}{(property.IsDefined(typeof(RequiredMemberAttribute)) ? " required" : "")}",
        FieldInfo { IsLiteral: true } field => $".{field.Name} = {field.GetRawConstantValue()} -> const {Name(field.FieldType)}",
        FieldInfo field => $".{field.Name} -> {(field.IsStatic ? "static " : "")}{Name(field.FieldType)}",
        EventInfo happening => $".{happening.Name} -> event {Name(happening.EventHandlerType!)}",
        _ => throw new InvalidOperationException($"{member} is rendered in no way"),
    };

    private static string Accessors(PropertyInfo property) =>
        string.Join(' ', new[]
        {
            property.GetMethod is { IsPublic: true } ? "get;" : null,
            property.SetMethod is { IsPublic: true } set ? set.ReturnParameter.GetRequiredCustomModifiers().Length > 0 ? "init;" : "set;" : null,
        }.OfType<string>());

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(parameter =>
        $"{(parameter.IsOut ? "out " : parameter.ParameterType.IsByRef ? "ref " : "")}{Name(parameter.ParameterType)}{Null(new NullabilityInfoContext().Create(parameter))} {parameter.Name}{(parameter.HasDefaultValue ? $" = {parameter.RawDefaultValue ?? "null"}" : "")}"));

    private static string Null(NullabilityInfo nullability) => nullability is { ReadState: NullabilityState.Nullable, Type.IsValueType: false } ? "?" : "";

    private static string Static(MethodBase method) => method.IsStatic ? "static " : "";

    private static string Generic(MethodInfo method) => method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(Name))}>" : "";

    private static string Name(Type type)
    {
        if (type.IsByRef)
        {
            return Name(type.GetElementType()!);
        }

        if (type.IsArray)
        {
            return Name(type.GetElementType()!) + "[]";
        }

        if (type.IsGenericParameter)
        {
            return type.Name;
        }

        var home = type.DeclaringType is { } outer ? Name(outer) : type.Namespace;
        var bare = type.Name.Split('`')[0];
        return type.IsGenericType ? $"{home}.{bare}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>" : $"{home}.{bare}";
    }
}
