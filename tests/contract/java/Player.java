import com.amazonaws.ClientConfiguration;
import com.amazonaws.PredefinedClientConfigurations;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.chime.AmazonChime;
import com.amazonaws.services.chime.AmazonChimeClientBuilder;
import com.amazonaws.services.chime.model.AmazonChimeException;
import com.amazonaws.thirdparty.jackson.annotation.JsonInclude.Include;
import com.amazonaws.thirdparty.jackson.databind.DeserializationFeature;
import com.amazonaws.thirdparty.jackson.databind.ObjectMapper;
import com.amazonaws.thirdparty.jackson.databind.PropertyNamingStrategy;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Map;

/**
 * Plays operations through the SDK for Java, version 1, as player.mjs does through JavaScript:
 * {@code Player <url>}.
 */
public final class Player {
    private static final ObjectMapper JSON = new ObjectMapper()
            .setPropertyNamingStrategy(PropertyNamingStrategy.PASCAL_CASE_TO_CAMEL_CASE)
            .setSerializationInclusion(Include.NON_NULL)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);

    public static void main(String[] words) throws Exception {
        ClientConfiguration once = PredefinedClientConfigurations.defaultConfig().withMaxErrorRetry(0);
        AmazonChime chime = AmazonChimeClientBuilder.standard()
                .withEndpointConfiguration(new EndpointConfiguration(words[0], System.getenv("AWS_REGION")))
                .withClientConfiguration(once)
                .build();
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = questions.readLine()) != null; ) {
            System.out.println(JSON.writeValueAsString(play(chime, JSON.readValue(line, Map.class))));
        }
    }

    private static Map<String, Object> play(AmazonChime chime, Map<?, ?> question) throws Exception {
        String operation = (String) question.get("operation");
        Class<?> type = Class.forName("com.amazonaws.services.chime.model." + operation + "Request");
        Method method = AmazonChime.class.getMethod(
                operation.substring(0, 1).toLowerCase() + operation.substring(1), type);
        Object request = JSON.convertValue(question.get("arguments"), type);
        try {
            Map<?, ?> answer = JSON.convertValue(method.invoke(chime, request), Map.class);
            answer.remove("SdkHttpMetadata");
            answer.remove("SdkResponseMetadata");
            return Map.of("answer", answer);
        } catch (InvocationTargetException refused) {
            if (!(refused.getCause() instanceof AmazonChimeException error)) {
                throw refused;
            }
            return Map.of("error", error.getClass().getSimpleName(), "message", error.getErrorMessage());
        }
    }
}
