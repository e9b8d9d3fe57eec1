using Assay.Service;
using Assay.Service.Keys;
using Assay.Service.Keys.Aws;

namespace Assay.Tests.Service;

/// <summary>AWS KMS that answers for another key or refuses, and its credentials.</summary>
public sealed class AwsKmsKekTests : RemoteKekWorld
{
    [Fact]
    public async Task KMS_that_answers_for_another_key_is_not_believed()
    {
        var (mine, thiefs) = (Kms.CreateKey(), Kms.CreateKey());
        using var kek = await OpenAsync(new KekTerms { AwsKms = Kms.Terms(mine, Folder) });
        var wrapped = await kek.WrapAsync(new byte[32], "x", Cancellation);
        foreach (var other in (string?[])[thiefs, mine.ToUpperInvariant(), mine + " ", mine[(mine.LastIndexOf('/') + 1)..], "", null])
        {
            Kms.Instead = async (context, _, answer) =>
            {
                answer["KeyId"] = other;
                await KeyServiceStandIn.AnswerAsync(context, 200, answer, "application/x-amz-json-1.1");
                return true;
            };
            Assert.Contains("it answers for the key", (await Assert.ThrowsAsync<ServiceException>(() => kek.UnwrapAsync(wrapped, "x", Cancellation))).Message, StringComparison.Ordinal);
            Assert.Equal(Outage, (await Assert.ThrowsAsync<ServiceException>(() => kek.WrapAsync(new byte[32], "x", Cancellation))).Id);
            Assert.Equal("service.kek.awskms", (await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { AwsKms = Kms.Terms(mine, Folder) }))).Id);
        }
    }

    [Theory]
    [InlineData(400, "AccessDeniedException", "service.kek.awskms")]
    [InlineData(400, "NotFoundException", "service.kek.awskms")]
    [InlineData(400, "DisabledException", "service.kek.awskms")]
    [InlineData(400, "KMSInvalidStateException", "service.kek.awskms")]
    [InlineData(403, "UnrecognizedClientException", "service.kek.awskms")]
    [InlineData(400, "ExpiredTokenException", "service.kek.awskms")]
    [InlineData(400, "ThrottlingException", Outage)]
    [InlineData(400, "LimitExceededException", Outage)]
    [InlineData(500, "KMSInternalException", Outage)]
    [InlineData(503, "DependencyTimeoutException", Outage)]
    [InlineData(500, "KeyUnavailableException", Outage)]
    public async Task What_KMS_refuses_is_told_at_the_start_and_never_taken_for_a_changed_key_later(int status, string code, string expected)
    {
        var terms = new KekTerms { AwsKms = Kms.Terms(Kms.CreateKey(), Folder) };
        using var kek = await OpenAsync(terms);
        var wrapped = await kek.WrapAsync(new byte[32], "x", Cancellation);
        var before = Kms.Asked.Count;

        Kms.Refusing = (status, code);

        var later = await Assert.ThrowsAsync<ServiceException>(() => kek.UnwrapAsync(wrapped, "x", Cancellation));
        Assert.Equal(Outage, later.Id);
        Assert.Contains(code, later.Message, StringComparison.Ordinal);
        Assert.InRange(Kms.Asked.Count - before, 1, 3);
        Assert.Equal(expected, (await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(terms))).Id);
        Kms.Refusing = null;
        Assert.Equal(new byte[32], await kek.UnwrapAsync(wrapped, "x", Cancellation));
    }

    [Fact]
    public async Task Credentials_of_KMS_are_read_for_each_request_from_a_file_that_others_cannot_read_and_that_says_nothing_else()
    {
        Kms.SessionToken = "session-one";
        var terms = Kms.Terms(Kms.CreateKey(), Folder);
        using var kek = await OpenAsync(new KekTerms { AwsKms = terms });
        Kms.SessionToken = "session-two";
        File.Copy(Kms.Terms(terms.Key, Folder).Credentials!, terms.Credentials!, overwrite: true);
        Assert.True((await kek.WrapAsync(new byte[32], "x", Cancellation)).Length > 0);

        var good = await File.ReadAllTextAsync(terms.Credentials!, Cancellation);
        foreach (var text in (string[])["", "[other]\n" + good, good + good, good + "credential_process = /bin/sh\n", good + "source_profile = x\n", "[default]\naws_access_key_id = x\n", good.Replace("[default]", "", StringComparison.Ordinal)])
        {
            await File.WriteAllTextAsync(terms.Credentials!, text, Cancellation);
            var fault = await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { AwsKms = terms }));
            Assert.Equal("service.kek.awskms", fault.Id);
            Assert.Contains("kek.awsKms.credentials", fault.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(AwsKmsStandIn.SecretKey, fault.ToString(), StringComparison.Ordinal);
        }

        await File.WriteAllTextAsync(terms.Credentials!, good, Cancellation);
        File.SetUnixFileMode(terms.Credentials!, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.Contains("chmod 600", (await Assert.ThrowsAsync<ServiceException>(() => OpenAsync(new KekTerms { AwsKms = terms }))).Message, StringComparison.Ordinal);
        Assert.Equal(Outage, (await Assert.ThrowsAsync<ServiceException>(() => kek.WrapAsync(new byte[32], "x", Cancellation))).Id);
    }

    [Fact]
    public void Replicas_of_a_multi_Region_key_are_one_key_and_all_other_ARNs_are_their_own()
    {
        static string Of(string arn) => AwsKeyArn.TryParse(arn, out var parsed) ? parsed.Identity : throw new ArgumentException(arn);
        const string multi = "key/mrk-0123456789abcdef0123456789abcdef", single = "key/01234567-89ab-cdef-0123-456789abcdef";

        Assert.Equal(Of($"arn:aws:kms:eu-central-1:111122223333:{multi}"), Of($"arn:aws:kms:us-east-1:111122223333:{multi}"));
        Assert.NotEqual(Of($"arn:aws:kms:eu-central-1:111122223333:{multi}"), Of($"arn:aws:kms:us-east-1:111122223334:{multi}"));
        Assert.NotEqual(Of($"arn:aws:kms:eu-central-1:111122223333:{single}"), Of($"arn:aws:kms:us-east-1:111122223333:{single}"));
        Assert.True(AwsKeyArn.TryParse($"arn:aws-us-gov:kms:us-gov-west-1:111122223333:{single}", out var gov) && gov.Region == "us-gov-west-1");
    }
}
