using Assay.Rego;
using Assay.Rego.Values;

const string Source = """
    package policy

    default allow := false

    allow if {
        input.gpus == 8
        every name in input.weakened { name in {"reference-values-unsigned"} }
    }
    """;

// Once: parse, compile, prepare.
if (!RegoModule.TryParse("policy.rego", Source, out var module, out var error))
{
    throw new InvalidDataException(error.ToDisplay());
}

if (!CompiledPolicy.TryCompile([module], data: null, out var policy, out var errors) || !policy.TryPrepare("data.policy.allow", out var query, out errors))
{
    throw new InvalidDataException(string.Join('\n', errors.Select(one => one.ToDisplay())));
}

// As often as you like: evaluate. Only the value true allows.
foreach (var json in new[] { """{"gpus":8,"weakened":[]}""", """{"gpus":8,"weakened":["time-stated"]}""" })
{
    if (!RegoJson.TryRead(System.Text.Encoding.UTF8.GetBytes(json), out var input, out var problem))
    {
        throw new InvalidDataException(problem);
    }

    Console.WriteLine($"{(query.Evaluate(input).IsTrue ? "allowed" : "refused")} {json}");
}
