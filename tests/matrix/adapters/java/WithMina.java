import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import org.apache.sshd.client.SshClient;
import org.apache.sshd.client.auth.keyboard.UserInteraction;
import org.apache.sshd.client.channel.ChannelExec;
import org.apache.sshd.client.channel.ChannelDirectTcpip;
import org.apache.sshd.client.channel.ClientChannelEvent;
import org.apache.sshd.client.keyverifier.AcceptAllServerKeyVerifier;
import org.apache.sshd.client.session.ClientSession;
import org.apache.sshd.common.NamedFactory;
import org.apache.sshd.common.cipher.BuiltinCiphers;
import org.apache.sshd.common.cipher.Cipher;
import org.apache.sshd.common.helpers.AbstractFactoryManager;
import org.apache.sshd.common.keyprovider.FileKeyPairProvider;
import org.apache.sshd.common.util.net.SshdSocketAddress;
import org.apache.sshd.core.CoreModuleProperties;
import org.apache.sshd.server.SshServer;
import org.apache.sshd.server.config.keys.AuthorizedKeysAuthenticator;
import org.apache.sshd.server.forward.AcceptAllForwardingFilter;
import org.apache.sshd.server.shell.ProcessShellCommandFactory;
import org.apache.sshd.sftp.client.SftpClient;
import org.apache.sshd.sftp.client.SftpClientFactory;
import org.apache.sshd.sftp.server.SftpSubsystemFactory;

/** Apache MINA sshd, client and server. */
public final class WithMina {
    private static void prepare(AbstractFactoryManager manager) {
        // All that it has.
        List<NamedFactory<Cipher>> ciphers = new ArrayList<>(EnumSet.complementOf(EnumSet.of(BuiltinCiphers.none)));
        manager.setCipherFactories(ciphers);
        if (Told.REKEY > 0) {
            CoreModuleProperties.REKEY_BYTES_LIMIT.set(manager, Told.REKEY);
        }
    }

    private static int client(String[] words) throws Exception {
        try (SshClient client = SshClient.setUpDefaultClient()) {
            prepare(client);
            client.setServerKeyVerifier(AcceptAllServerKeyVerifier.INSTANCE);
            CoreModuleProperties.PREFERRED_AUTHS.set(client, Told.AUTH);
            client.setUserInteraction(new UserInteraction() {
                @Override
                public String[] interactive(ClientSession session, String name, String text, String lang,
                        String[] prompts, boolean[] echo) {
                    String[] answers = new String[prompts.length];
                    Arrays.fill(answers, Told.PASSWORD);
                    return answers;
                }

                @Override
                public String getUpdatedPassword(ClientSession session, String prompt, String lang) {
                    return null;
                }
            });
            client.start();
            try (ClientSession session = client.connect(Told.USER, "127.0.0.1", Told.PORT).verify(30000).getSession()) {
                if (Told.AUTH.equals("publickey")) {
                    session.setKeyIdentityProvider(new FileKeyPairProvider(Path.of(Told.KEY)));
                } else if (Told.AUTH.equals("password")) {
                    session.addPasswordIdentity(Told.PASSWORD);
                }
                session.auth().verify(30000);
                return work(session, words);
            }
        }
    }

    private static int work(ClientSession session, String[] words) throws Exception {
        switch (words[0]) {
            case "run": {
                ChannelExec channel = session.createExecChannel(words[1]);
                channel.open().verify(30000);
                Told.pumpAside(System.in, channel.getInvertedIn());
                Told.pump(channel.getInvertedOut(), System.out);
                channel.waitFor(EnumSet.of(ClientChannelEvent.CLOSED), 30000);
                Integer status = channel.getExitStatus();
                return status == null ? 255 : status;
            }
            case "forward": {
                ChannelDirectTcpip channel = session.createDirectTcpipChannel(
                        new SshdSocketAddress("127.0.0.1", 1), new SshdSocketAddress(words[1], Integer.parseInt(words[2])));
                channel.open().verify(30000);
                Told.pumpAside(System.in, channel.getInvertedIn());
                Told.pump(channel.getInvertedOut(), System.out);
                return 0;
            }
            default: {
                SftpClient files = SftpClientFactory.instance().createSftpClient(session);
                switch (words[0]) {
                    case "put" -> files.put(Path.of(words[1]), words[2]);
                    case "get" -> {
                        try (var from = files.read(words[1])) {
                            Files.copy(from, Path.of(words[2]), java.nio.file.StandardCopyOption.REPLACE_EXISTING);
                        }
                    }
                    default -> files.readDir(words[1]).forEach(entry -> System.out.println(entry.getFilename()));
                }
                return 0;
            }
        }
    }

    private static int server(String[] words) throws Exception {
        SshServer server = SshServer.setUpDefaultServer();
        prepare(server);
        server.setHost("127.0.0.1");
        server.setPort(0);
        server.setKeyPairProvider(new FileKeyPairProvider(Path.of(Told.of("HOST_KEY"))));
        server.setPasswordAuthenticator((user, password, session) ->
                user.equals(Told.USER) && password.equals(Told.PASSWORD));
        server.setPublickeyAuthenticator(new AuthorizedKeysAuthenticator(Path.of(Told.of("AUTHORIZED_KEYS"))));
        server.setCommandFactory((channel, command) -> ProcessShellCommandFactory.INSTANCE.createCommand(channel,
                "/bin/sh -c '" + command + "'"));
        server.setSubsystemFactories(List.of(new SftpSubsystemFactory()));
        server.setForwardingFilter(AcceptAllForwardingFilter.INSTANCE);
        server.start();
        System.out.println("listening " + server.getPort());
        System.in.readAllBytes();
        return 0;
    }

    public static void main(String[] words) {
        String version = SshServer.class.getPackage().getImplementationVersion();
        Told.main(words, version, WithMina::client, WithMina::server);
    }
}
