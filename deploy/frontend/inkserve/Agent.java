package inkserve;

import groovyjarjarasm.asm.ClassReader;
import groovyjarjarasm.asm.ClassVisitor;
import groovyjarjarasm.asm.ClassWriter;
import groovyjarjarasm.asm.MethodVisitor;
import groovyjarjarasm.asm.Opcodes;
import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.security.ProtectionDomain;

/**
 * Adds a {@link Guard} to each HTTP connection of TorchServe, and lets SIGTERM finish the requests in flight.
 *
 * <p>TorchServe is no longer developed, and has no plugin point for either. This is a Java agent (java.lang.instrument):
 * when ServerInitializer is loaded, one call is added to the end of its initChannel. ASM, which changes the class, and
 * Netty are those in TorchServe's own jar.
 */
public final class Agent {
    private static final String CLASS = "org/pytorch/serve/ServerInitializer";
    private static final String METHOD = "initChannel";

    private Agent() {}

    /** Called by Java before TorchServe's main. */
    public static void premain(String arguments, Instrumentation instrumentation) {
        instrumentation.addTransformer(new Transformer());
        Drain.onTermination();
    }

    private static final class Transformer implements ClassFileTransformer {
        @Override
        public byte[] transform(
                ClassLoader loader, String name, Class<?> redefined, ProtectionDomain domain, byte[] bytes) {
            if (!CLASS.equals(name)) {
                return null; // unchanged
            }
            ClassReader reader = new ClassReader(bytes);
            ClassWriter writer = new ClassWriter(reader, ClassWriter.COMPUTE_MAXS);
            reader.accept(new Caller(writer), 0);
            return writer.toByteArray();
        }
    }

    /** Adds `Guard.install(channel)` before each return of initChannel(Channel). */
    private static final class Caller extends ClassVisitor {
        Caller(ClassVisitor next) {
            super(Opcodes.ASM9, next);
        }

        @Override
        public MethodVisitor visitMethod(int access, String name, String type, String signature, String[] throwing) {
            MethodVisitor method = super.visitMethod(access, name, type, signature, throwing);
            if (!METHOD.equals(name)) {
                return method;
            }
            return new MethodVisitor(Opcodes.ASM9, method) {
                @Override
                public void visitInsn(int opcode) {
                    if (opcode == Opcodes.RETURN) {
                        visitVarInsn(Opcodes.ALOAD, 1); // the channel
                        visitMethodInsn(
                                Opcodes.INVOKESTATIC, "inkserve/Guard", "install", "(Lio/netty/channel/Channel;)V", false);
                    }
                    super.visitInsn(opcode);
                }
            };
        }
    }
}
