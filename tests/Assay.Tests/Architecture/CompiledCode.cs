using System.Reflection;
using System.Reflection.Emit;

namespace Assay.Tests.Architecture;

/// <summary>What compiled code uses: every type and member named by its signatures, fields, locals and instructions.</summary>
internal static class CompiledCode
{
    private const BindingFlags Everything = BindingFlags.DeclaredOnly | BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;

    private static readonly Dictionary<short, OpCode> s_codes = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!).ToDictionary(code => code.Value);

    /// <summary>Every use in the assembly: who (the outermost type), and the member or type that it names.</summary>
    public static IEnumerable<(Type User, MemberInfo Used)> UsesOf(Assembly assembly) =>
        from type in assembly.GetTypes()
        where !IsEmitted(type)
        from used in UsesOf(type)
        select (Outermost(type), used);

    /// <summary>The named types behind a use, arrays and type arguments taken apart.</summary>
    public static IEnumerable<Type> TypesIn(MemberInfo used) => (used switch
    {
        Type type => Parts(type),
        MethodBase method => Parts(method.DeclaringType).Concat(Parts((method as MethodInfo)?.ReturnType)).Concat(method.GetParameters().SelectMany(parameter => Parts(parameter.ParameterType)))
            .Concat(method.IsGenericMethod ? method.GetGenericArguments().SelectMany(Parts) : []),
        FieldInfo field => Parts(field.DeclaringType).Concat(Parts(field.FieldType)),
        _ => [],
    }).Distinct();

    public static Type Outermost(Type type) => type.DeclaringType is { } outer ? Outermost(outer) : type;

    private static bool IsEmitted(Type type) => Outermost(type).Name.StartsWith('<');

    private static IEnumerable<MemberInfo> UsesOf(Type type)
    {
        IEnumerable<Type?> named = [type.BaseType, .. type.GetInterfaces(), .. type.GetFields(Everything).Select(field => field.FieldType)];
        foreach (var use in named.OfType<Type>())
        {
            yield return use;
        }

        foreach (var method in type.GetMethods(Everything).Cast<MethodBase>().Concat(type.GetConstructors(Everything)))
        {
            yield return method;
            foreach (var use in BodyOf(method))
            {
                yield return use;
            }
        }
    }

    private static IEnumerable<MemberInfo> BodyOf(MethodBase method)
    {
        if (method.GetMethodBody() is not { } body)
        {
            yield break;
        }

        foreach (var local in body.LocalVariables)
        {
            yield return local.LocalType;
        }

        var il = body.GetILAsByteArray()!;
        var typeArguments = method.DeclaringType!.IsGenericType ? method.DeclaringType.GetGenericArguments() : null;
        var methodArguments = method.IsGenericMethod ? method.GetGenericArguments() : null;
        for (var offset = 0; offset < il.Length;)
        {
            var code = s_codes[il[offset] == 0xFE ? unchecked((short)(0xFE00 | il[offset + 1])) : il[offset]];
            offset += code.Size;
            if (code.OperandType is OperandType.InlineMethod or OperandType.InlineField or OperandType.InlineType or OperandType.InlineTok)
            {
                yield return method.Module.ResolveMember(BitConverter.ToInt32(il, offset), typeArguments, methodArguments)!;
            }

            offset += code.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 + 4 * BitConverter.ToInt32(il, offset),
                _ => 4,
            };
        }
    }

    private static IEnumerable<Type> Parts(Type? type)
    {
        if (type is null || type.IsGenericParameter)
        {
            return [];
        }

        if (type.HasElementType)
        {
            return Parts(type.GetElementType());
        }

        return type.IsGenericType ? [type.GetGenericTypeDefinition(), .. type.GetGenericArguments().SelectMany(Parts)] : [type];
    }
}
