namespace Assay.Rego.Compilation;

/// <summary>
/// Says whether a term binds something where it stands now, and whether it takes steps of its own. Variables only ever become bound while a
/// term is emitted, so that "no" stays true and "yes" has a witness; what was looked through is never looked through again.
/// </summary>
internal sealed class Freedom(Bindings bound, CompileWork work)
{
    private readonly Dictionary<LTerm, Search<Local>> _free = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<LTerm, Search<LTerm>> _steps = new(ReferenceEqualityComparer.Instance);

    private sealed class Search<T>
    {
        public int Next { get; set; }

        public T? Witness { get; set; }
    }

    /// <summary>Whether a pattern binds nothing, so that comparing is enough.</summary>
    public bool IsBound(LTerm term) => Free(term) is null;

    /// <summary>Whether walking the reference binds something: it has more than one solution then.</summary>
    public bool HasFree(LRef reference) => Free(reference) is not null;

    /// <summary>Whether evaluating the term takes steps of its own, because something in it has several solutions.</summary>
    public bool NeedsSteps(LTerm term) => Step(term) is not null;

    private Local? Free(LTerm term)
    {
        work.Tick();
        if (term is LLocal { Local: var local })
        {
            return bound.Has(local) ? null : local;
        }

        if (term is not (LArray or LObject or LRef))
        {
            return null;
        }

        var search = Of(_free, term);
        if (search.Witness is { } witness && !bound.Has(witness))
        {
            return witness;
        }

        // In the path of a reference, what is neither a name nor a composite binds nothing of the path.
        search.Witness = null;
        for (; search.Witness is null && Part(term, search.Next) is { } part; search.Next += search.Witness is null ? 1 : 0)
        {
            search.Witness = term is LRef && part is not (LLocal or LArray or LObject) ? null : Free(part);
        }

        return search.Witness;
    }

    // The witness is a reference that binds something, or a call with several outputs.
    private LTerm? Step(LTerm term)
    {
        work.Tick();
        if (term is not (LRef or LCall or LArray or LSet or LObject))
        {
            return null;
        }

        var search = Of(_steps, term);
        if (search.Witness is LCall || search.Witness is LRef reference && HasFree(reference))
        {
            return search.Witness;
        }

        search.Witness = term is LCall { Builtin.IsRelation: true } || term is LRef itself && HasFree(itself) ? term : null;
        for (; search.Witness is null && Inner(term, search.Next) is { } part; search.Next += search.Witness is null ? 1 : 0)
        {
            search.Witness = Step(part);
        }

        return search.Witness;
    }

    private static Search<T> Of<T>(Dictionary<LTerm, Search<T>> known, LTerm term) =>
        known.TryGetValue(term, out var search) ? search : known[term] = new Search<T>();

    private static LTerm? Part(LTerm term, int index) => term switch
    {
        LRef reference => At(reference.Path, index),
        LArray array => At(array.Items, index),
        LObject pairs => At(pairs.Pairs, index),
        _ => null,
    };

    private static LTerm? Inner(LTerm term, int index) => term switch
    {
        LRef reference => index == 0 ? reference.Head : At(reference.Path, index - 1),
        LCall call => At(call.Arguments, index),
        LSet set => At(set.Items, index),
        _ => Part(term, index),
    };

    private static LTerm? At(LTerm[] terms, int index) => index < terms.Length ? terms[index] : null;

    private static LTerm? At((LTerm Key, LTerm Value)[] pairs, int index) =>
        index / 2 >= pairs.Length ? null : index % 2 == 0 ? pairs[index / 2].Key : pairs[index / 2].Value;
}
