import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * What a shop's function in Java does for two of its users, with the JDK alone: it puts the proxy
 * configuration before every session, opens the session, and hands the first participant's proxy
 * number to both. {@code Shopper <url> <connector> <number> <number>}; it prints the proxy number.
 * Signature Version 4 is worked out here, as AWS's documentation describes it.
 */
public final class Shopper {
    private static final Pattern PROXY = Pattern.compile("\"ProxyPhoneNumber\":\"(\\+\\d+)\"");
    private static final HttpClient CLIENT =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    public static void main(String[] words) throws Exception {
        String connector = words[0] + "/voice-connectors/" + words[1];
        ask("PUT", connector + "/programmable-numbers/proxy",
                "{\"DefaultSessionExpiryMinutes\":60,\"PhoneNumberPoolCountries\":[\"US\"]}", 200);
        String session = ask("POST", connector + "/proxy-sessions",
                "{\"ParticipantPhoneNumbers\":[\"" + words[2] + "\",\"" + words[3] + "\"],"
                        + "\"Capabilities\":[\"Voice\",\"SMS\"],\"ExpiryMinutes\":60}", 201);
        Matcher found = PROXY.matcher(session);
        if (!found.find()) {
            throw new IllegalStateException("no proxy number");
        }
        System.out.println(found.group(1));
    }

    private static String ask(String method, String url, String body, int expected) throws Exception {
        URI uri = URI.create(url);
        String time = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'")
                .format(ZonedDateTime.now(ZoneOffset.UTC));
        HttpRequest request = HttpRequest.newBuilder(uri)
                .header("Content-Type", "application/json")
                .header("X-Amz-Date", time)
                .header("Authorization", authorization(method, uri, time, body))
                .method(method, HttpRequest.BodyPublishers.ofString(body))
                .build();
        HttpResponse<String> answer = CLIENT.send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != expected) {
            throw new IllegalStateException(answer.statusCode() + " " + answer.body());
        }
        return answer.body();
    }

    private static String authorization(String method, URI uri, String time, String body)
            throws Exception {
        String day = time.substring(0, 8);
        String region = System.getenv("AWS_REGION");
        String scope = day + "/" + region + "/chime/aws4_request";
        String signed = "content-type;host;x-amz-date";
        String canonical = String.join("\n", method, uri.getRawPath(), "",
                "content-type:application/json", "host:" + uri.getAuthority(),
                "x-amz-date:" + time, "", signed, hash(body));
        String toSign = String.join("\n", "AWS4-HMAC-SHA256", time, scope, hash(canonical));
        byte[] key = ("AWS4" + System.getenv("AWS_SECRET_ACCESS_KEY")).getBytes(StandardCharsets.UTF_8);
        for (String part : new String[] {day, region, "chime", "aws4_request"}) {
            key = mac(key, part);
        }
        return "AWS4-HMAC-SHA256 Credential=" + System.getenv("AWS_ACCESS_KEY_ID") + "/" + scope
                + ", SignedHeaders=" + signed
                + ", Signature=" + HexFormat.of().formatHex(mac(key, toSign));
    }

    private static String hash(String text) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        return HexFormat.of().formatHex(digest.digest(text.getBytes(StandardCharsets.UTF_8)));
    }

    private static byte[] mac(byte[] key, String text) throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }
}
